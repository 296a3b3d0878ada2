"""A header whose name is not UTF-8 costs its own bytes and nothing else."""

from kafka.record.memory_records import MemoryRecords, MemoryRecordsBuilder

from pipeline.bus.lenient import LenientBatch, install

NAME = b"HEADER-NAME"


def test_the_record_is_read_with_question_marks() -> None:
    install()
    builder = MemoryRecordsBuilder(magic=2, compression_type=0, batch_size=10_000)
    builder.append(timestamp=1, key=b"k0", value=b"v0", headers=[])
    builder.append(timestamp=2, key=b"k1", value=b"v1", headers=[(NAME.decode(), b"x"), ("good", b"y")])
    builder.append(timestamp=3, key=b"k2", value=b"v2", headers=[])
    builder.close()
    data = bytes(builder.buffer()).replace(NAME, b"HE\xffDER-N\xc3ME")
    batch = MemoryRecords(data).next_batch()
    assert isinstance(batch, LenientBatch)
    found = list(batch)
    assert [(r.key, r.value) for r in found] == [(b"k0", b"v0"), (b"k1", b"v1"), (b"k2", b"v2")]
    assert found[1].headers == [("HE?DER-N?ME", b"x"), ("good", b"y")]
