"""Recordings in every format, with and without an index; nothing is ever unpickled."""

from __future__ import annotations

import builtins
import pickle
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from palier.locale import Catalogue
from palier.recording_formats import sampled
from palier.recordings import Recording, RecordingError, open_recordings
from tests.support.npz import write_npz
from tests.support.recordings import data_folder

RAMP = np.arange(-4, 12, dtype=np.int16)


def only(path: Path, **how: Any) -> Recording:
    (recording,) = open_recordings(path, **({"fs_hz": 100.0} | how))
    return recording


@pytest.fixture
def rig(tmp_path: Path) -> Path:
    """Two records of two channels, and one that no index names."""
    half, quarter = np.float64(0.5), np.float64(0.25)
    arrays = {"A|DE": RAMP, "A|DE__scale": half, "A|FE": RAMP[::-1], "A|FE__scale": quarter}
    return write_npz(tmp_path / "rig.npz", {**arrays, "B|DE": RAMP, "B|FE": RAMP, "odd": RAMP})


@pytest.fixture
def index(tmp_path: Path) -> Path:
    path = tmp_path / "rig.csv"
    path.write_text("file,fs,rpm,fault,note\nB,200,1500,N,\nA,100,,IR,hot\nlost,1,1,N,\n", "utf-8")
    return path


def test_an_npz_holds_records_of_channels_with_their_scales(rig: Path) -> None:
    first = open_recordings(rig, fs_hz=100).read("A")
    assert (first.channels, first.scale, first.fs_hz, first.unit, first.rpm) == (
        ("DE", "FE"),
        (0.5, 0.25),
        100,
        "unknown",
        None,
    )
    np.testing.assert_array_equal(first.samples, [RAMP, RAMP[::-1]])
    assert first.samples.dtype == np.dtype("<i2")


def test_the_index_gives_order_rate_speed_and_labels(rig: Path, index: Path) -> None:
    records = list(open_recordings(rig, index))
    assert [(r.name, r.fs_hz, r.rpm, dict(r.labels)) for r in records] == [
        ("B", 200.0, 1500.0, {"fault": "N"}),
        ("A", 100.0, None, {"fault": "IR", "note": "hot"}),
    ]


def test_what_has_no_array_or_no_row_is_named(rig: Path, index: Path) -> None:
    skipped = open_recordings(rig, index).skipped
    assert [(s.name, s.reason) for s in skipped] == [
        ("lost", "no array in rig.npz"),
        ("odd", "no row in rig.csv"),
    ]


def test_what_is_given_wins_over_the_index(rig: Path, index: Path) -> None:
    record = open_recordings(rig, index, fs_hz=50, rpm=60, unit="m/s2", channel="FE").read("B")
    assert (record.fs_hz, record.rpm, record.unit, record.channels) == (50, 60, "m/s²", ("FE",))
    assert record.samples.shape == (1, RAMP.size)


def test_the_unit_of_the_index_is_taken_unless_one_is_given(rig: Path, tmp_path: Path) -> None:
    path = tmp_path / "rig.csv"
    path.write_text("file,fs,unit\nA,100,m/s2\nB,100,\n", "utf-8")
    assert [(r.unit, dict(r.labels)) for r in open_recordings(rig, path)] == [("m/s²", {}), ("unknown", {})]
    assert {r.unit for r in open_recordings(rig, path, unit="g")} == {"g"}
    assert {r.unit for r in open_recordings(rig, path, unit="unknown")} == {"unknown"}


def test_a_row_without_a_rate_is_skipped_by_name_unless_one_is_given(rig: Path, tmp_path: Path) -> None:
    path = tmp_path / "rig.csv"
    path.write_text("file,fs\nA,100\nB,\n", "utf-8")
    found = open_recordings(rig, path)
    assert [r.name for r in found] == ["A"]
    assert ("B", "no sample rate in rig.csv: write fs there, or give --fs") in [
        (s.name, s.reason) for s in found.skipped
    ]
    assert open_recordings(rig, path, fs_hz=100).names == ("A", "B")


def test_why_a_record_is_skipped_is_told_in_the_users_language(rig: Path, index: Path) -> None:
    lost = open_recordings(rig, index).skipped[0]
    assert lost.told(Catalogue("fr")) == "aucun enregistrement de ce nom dans rig.npz"


def test_turns_per_second_are_understood(tmp_path: Path) -> None:
    np.savez(tmp_path / "m.npz", x=RAMP)
    (tmp_path / "i.csv").write_text("file;fs_hz;rate_hz\nx;48828;25\n", "utf-8-sig")
    (record,) = open_recordings(tmp_path / "m.npz", tmp_path / "i.csv")
    assert (record.fs_hz, record.rpm) == (48828, 1500)


def test_a_record_can_be_read_again_and_again(rig: Path, index: Path) -> None:
    records = open_recordings(rig, index)
    assert [r.name for r in records] == [r.name for r in records]
    assert len(records) == 2


@pytest.mark.parametrize("shape", [(3, 16), (16, 3)])
def test_the_longer_side_of_a_2d_array_is_time(tmp_path: Path, shape: tuple[int, int]) -> None:
    np.save(tmp_path / "x.npy", np.zeros(shape, dtype=np.float64))
    record = only(tmp_path / "x.npy")
    assert (record.samples.shape, record.channels) == ((3, 16), ("1", "2", "3"))
    assert record.samples.dtype == np.float32


@pytest.mark.parametrize(
    ("text", "channels", "first"),
    [
        ("1.5,2\n3,4\n", ("1", "2"), [1.5, 3]),
        ("DE,FE\n1.5,2\n3,4\n", ("DE", "FE"), [1.5, 3]),
        ("CA;COA\n1,5;2\n3,0;4\n", ("CA", "COA"), [1.5, 3]),
        ("a\n1,5\n3\n", ("a",), [1.5, 3]),
        ("date;x\n2020-01-01;1.5\n2020-01-02;3\n", ("x",), [1.5, 3]),
        ('"x"\t"y"\r\n1.5\t2\r\n3\t4\r\n', ("x", "y"), [1.5, 3]),
    ],
)
def test_csv_as_people_write_it(
    tmp_path: Path, text: str, channels: tuple[str, ...], first: list[float]
) -> None:
    (tmp_path / "x.csv").write_bytes(text.encode())
    record = only(tmp_path / "x.csv")
    assert record.channels == channels
    assert record.samples[0].tolist() == first


def test_a_column_of_times_gives_the_rate_and_is_no_channel(tmp_path: Path) -> None:
    lines = "".join(f"{i / 2560:.6f},{i}\n" for i in range(500))
    (tmp_path / "x.csv").write_text("time,x\n" + lines)
    (record,) = open_recordings(tmp_path / "x.csv")
    assert record.channels == ("x",)
    assert record.fs_hz == pytest.approx(2560, rel=1e-4)


@pytest.mark.parametrize("width", [1, 2])
def test_sound_files_bring_their_rate(tmp_path: Path, width: int) -> None:
    with wave.open(str(tmp_path / "x.wav"), "wb") as out:
        out.setnchannels(2)
        out.setsampwidth(width)
        out.setframerate(8000)
        zero = b"\x80" if width == 1 else b"\x00\x00"
        out.writeframes(zero * 2 * 9 + (b"\xff\x80" if width == 1 else b"\xff\x7f\x00\x00"))
    (record,) = open_recordings(tmp_path / "x.wav")
    assert (record.fs_hz, record.samples.shape) == (8000, (2, 10))
    assert record.samples[0, -1] * record.scale[0] == pytest.approx(1, abs=0.01)
    assert record.samples[1].tolist() == [0] * 10


def test_sound_without_calibration_has_no_unit(tmp_path: Path) -> None:
    """Full scale of integer sound is whatever the amplifier was set to: a zone from it would be made up."""
    from scipy.io import wavfile

    wavfile.write(tmp_path / "pcm.wav", 8000, RAMP)
    with pytest.raises(RecordingError, match="integer sound, whose full scale is no physical unit"):
        only(tmp_path / "pcm.wav", unit="g")
    wavfile.write(tmp_path / "float.wav", 8000, RAMP.astype(np.float32))
    assert only(tmp_path / "float.wav", unit="g").samples[0, 0] == -4


def test_matlab_files_bring_their_vectors_and_speed(tmp_path: Path) -> None:
    from scipy.io import savemat

    x = np.linspace(0, 1, 50)
    savemat(tmp_path / "x.mat", {"X1_DE_time": x[:, None], "X1_FE_time": x, "X1RPM": 1796, "short": [1, 2]})
    record = only(tmp_path / "x.mat")
    assert (record.channels, record.rpm) == (("X1_DE_time", "X1_FE_time"), 1796)


def test_a_speed_of_zero_is_one_that_somebody_stated(rig: Path, tmp_path: Path) -> None:
    """It says that the machine stood; in a file of its own it may be a speed that was left out."""
    from scipy.io import savemat

    path = tmp_path / "i.csv"
    path.write_text("file,fs,rpm,rate_hz\nA,100,0,\nB,100,,0\n", "utf-8")
    assert [record.rpm for record in open_recordings(rig, path)] == [0, 0]
    assert [record.rpm for record in open_recordings(rig, path, rpm=60)] == [60, 60]
    assert open_recordings(rig, fs_hz=100, rpm=0).read("A").rpm == 0
    savemat(tmp_path / "x.mat", {"x": np.linspace(0, 1, 50), "RPM": 0})
    assert only(tmp_path / "x.mat").rpm is None
    with pytest.raises(RecordingError, match=r"rpm must be 0 \(at rest\) or above and below 1e7, got -1"):
        open_recordings(rig, rpm=-1)


def test_parquet_columns_are_channels(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install '.[parquet]'")
    from pyarrow import parquet

    table = pa.table({"day": ["a", "b", "c"], "x": [1, 2, 3], "y": [0.5, 1.5, 2.5]})
    parquet.write_table(table, tmp_path / "x.parquet")
    record = only(tmp_path / "x.parquet")
    assert (record.channels, record.samples.tolist()) == (("x", "y"), [[1, 2, 3], [0.5, 1.5, 2.5]])


def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *rest)

    (tmp_path / "x.parquet").write_bytes(b"PAR1")
    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(RecordingError, match=r"\.\[parquet\]"):
        only(tmp_path / "x.parquet")


@given(
    hnp.arrays(
        st.one_of(hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes(sizes=(16, 32))),
        hnp.array_shapes(max_dims=2),
        elements={"allow_nan": False, "allow_infinity": False},
    )
)
def test_samples_become_one_of_three_types_and_keep_their_values(array: np.ndarray[Any, Any]) -> None:
    before = array.copy()
    out = sampled(array)
    assert out.dtype in (np.dtype("<i2"), np.dtype("<i4"), np.dtype("<f4"))
    exact = out.dtype.kind == "i" or (array.dtype.itemsize <= 4 and array.dtype.kind == "f")
    if exact:
        np.testing.assert_array_equal(out, array)
    else:
        np.testing.assert_allclose(out.astype(float), array.astype(float), rtol=1e-6)
    np.testing.assert_array_equal(array, before)


class Bomb:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("exploded"),))


@pytest.mark.parametrize("name", ["x.npz", "x.npy"])
def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    np.savez(path, x=np.array([Bomb()])) if name == "x.npz" else np.save(path, np.array([Bomb()]))
    with pytest.raises(RecordingError, match="Python objects are never loaded"):
        only(path)
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(RecordingError, match=name):
        only(path)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["x.npz", "x.npy", "x.csv", "x.wav", "x.mat", "x.parquet"])
@pytest.mark.parametrize("content", [b"", b"\x00\xffnonsense\n\x00" * 20, b"PK\x03\x04 broken"])
def test_a_damaged_file_is_a_sentence_that_names_it(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(RecordingError, match=rf"{name}: "):
        only(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({}, "it holds no array"),
        ({"A": np.array(["x"])}, "samples must be integers or real numbers"),
        ({"A": np.array([], dtype="f4")}, "at least 2 numbers in a row"),
        ({"A": np.arange(9), "A__scale": np.array([1.0, 2.0])}, "A__scale must be one number"),
    ],
)
def test_an_npz_that_holds_no_record_is_a_sentence_that_names_it(
    tmp_path: Path, content: dict[str, np.ndarray[Any, Any]], told: str
) -> None:
    path = write_npz(tmp_path / "x.npz", content)
    with pytest.raises(RecordingError, match=rf"x\.npz: .*{told}"):
        list(open_recordings(path, fs_hz=1000))


@pytest.mark.parametrize("cut", [12, 15, 20, 40, 60])
def test_sound_that_was_cut_off_is_a_sentence(tmp_path: Path, cut: int) -> None:
    wavfile = pytest.importorskip("scipy.io.wavfile")
    path = tmp_path / "x.wav"
    wavfile.write(path, 1000, np.zeros(50, dtype="f4"))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(RecordingError, match=r"x\.wav: "):
        only(path)


def test_what_is_beyond_float32_is_infinite_without_a_warning(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.array([1.0, 1e300]))
    assert np.isinf(only(tmp_path / "x.npy").samples[0, 1])


def test_a_file_that_was_cut_off_is_a_sentence(rig: Path) -> None:
    rig.write_bytes(rig.read_bytes()[:-30])
    with pytest.raises(RecordingError, match=r"rig\.npz: "):
        open_recordings(rig)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name,fs\nA,1\n", r"rig\.csv:1: an index must have a column file"),
        ("file,fs\nA,x\n", r"rig\.csv:2: fs must be a number above 0"),
        ("file,fs\nA,1\nB,-1\n", r"rig\.csv:3: fs must be a number above 0"),
        ("file,fs,rpm\nA,1,-1\n", r"rig\.csv:2: rpm must be 0 \(at rest\) or a number above and below"),
        ("file,fs,unit\nA,1,mm/s\n", r"rig\.csv:2: unit must be one of m/s², g, unknown, got 'mm/s'"),
        ("file,fs\nA,1\nA,1\n", r"rig\.csv:3: A stands in the index twice"),
        (
            "file,fs\nZ,1\n",
            r"has no row for any of its records: in the column file write .* like A, B, odd; it has Z",
        ),
    ],
)
def test_a_wrong_index_is_told_with_its_line(rig: Path, tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rig.csv"
    path.write_text(text)
    with pytest.raises(RecordingError, match=told):
        open_recordings(rig, path)


def test_what_can_not_be_meant_is_refused(rig: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="sample rate of A is not known: give --fs"):
        open_recordings(rig).read("A")
    with pytest.raises(RecordingError, match="fs_hz must be above 0"):
        open_recordings(rig, fs_hz=0)
    with pytest.raises(RecordingError, match="the unit must be one of"):
        open_recordings(rig, unit="mm")
    with pytest.raises(RecordingError, match=r"A: has no channel 'D' .*it has DE, FE"):
        open_recordings(rig, fs_hz=1, channel="D").read("A")
    with pytest.raises(RecordingError, match="no such file"):
        open_recordings(tmp_path / "none.csv")
    with pytest.raises(RecordingError, match=r"none\.npz: there is no such file"):
        open_recordings(tmp_path / "none.npz")
    with pytest.raises(RecordingError, match=r"i\.csv: there is no such file"):
        open_recordings(rig, tmp_path / "i.csv")
    for asked in ((tmp_path, None), (rig, tmp_path)):
        with pytest.raises(RecordingError, match="is a folder"):
            open_recordings(*asked)
    with pytest.raises(RecordingError, match="the ending must be one of"):
        open_recordings(tmp_path / "x.doc")


def test_channels_of_different_length_are_no_record(tmp_path: Path) -> None:
    write_npz(tmp_path / "x.npz", {"A|1": RAMP, "A|2": RAMP[:4]})
    with pytest.raises(RecordingError, match="its channels must have one length"):
        only(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("folder", "file", "index", "records", "skipped"),
    [
        ("hitsm", "mfs.npz", "index_mfs.csv", 21, 0),
        ("cwru", "de12.npz", "index.csv", 60, 1),
        ("mfpt", "mfpt.npz", "index.csv", 10, 0),
        ("uestc", "uestc.npz", "index.csv", 40, 0),
    ],
)
def test_the_public_sets_are_read_whole(
    folder: str, file: str, index: str, records: int, skipped: int
) -> None:
    found = open_recordings(data_folder(folder, file), data_folder(folder, index))
    assert (len(found), len(found.skipped)) == (records, skipped)
    first = next(iter(found))
    assert first.rpm is not None
    assert first.samples.dtype == np.int16
