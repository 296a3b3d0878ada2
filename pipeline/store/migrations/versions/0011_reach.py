"""How far a reader has records in hand"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    op.add_column("claims", sa.Column("reach", sa.BigInteger(), nullable=True))


def downgrade() -> None:
    op.drop_column("claims", "reach")
