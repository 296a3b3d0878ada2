# The image of every process that is ours: workers, flows, pages, and the Prefect server of the same version.
# Without the embedded servers: docker-compose.yml brings real ones.

FROM python:3.11-slim AS build
WORKDIR /src
# All locked packages, verified by their hashes; of these the last step takes what racewire itself needs.
COPY requirements.lock .
RUN pip wheel --no-deps --require-hashes --requirement requirements.lock --wheel-dir /wheels
COPY pyproject.toml README.md LICENSE ./
COPY flows flows
COPY pipeline pipeline
COPY schemas schemas
RUN pip install --no-index --find-links /wheels hatchling \
    && pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && python -m venv /opt/racewire \
    && /opt/racewire/bin/pip install --no-index --find-links /wheels racewire

FROM python:3.11-slim
COPY --from=build /opt/racewire /opt/racewire
RUN useradd --system --create-home --home-dir /var/lib/racewire racewire
ENV PATH=/opt/racewire/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    RACEWIRE_HOME=/var/lib/racewire \
    PREFECT_HOME=/var/lib/racewire/prefect
USER racewire
WORKDIR /var/lib/racewire
CMD ["racewire", "--help"]
