"""Other inputs at addresses: configurations, names of volunteers, gold outlines, subjects and workflows."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from exports import ROOT, Done
from s3_server import Bucket
from web_server import WebServer

import polyframe as pf
from polyframe.core.addresses import as_address
from polyframe.core.errors import PolyframeError
from polyframe.core.local_copies import local_copies, read_file
from polyframe.pipeline.configure import configure

DATA = ROOT / "data"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output directory of the example."""
    out = tmp_path_factory.mktemp("made") / "out"
    pf.run(DATA / "classifications.csv", out, DATA / "config.yaml", contours=False, say=print)
    return out


@pytest.fixture
def served(web: WebServer) -> WebServer:
    """A web server with the files of the example."""
    for file in DATA.glob("*.*"):
        web.serve(f"/{file.name}", file.read_bytes())
    return web


def test_copies_are_named_by_their_addresses(web: WebServer, tmp_path: Path) -> None:
    web.serve("/a.txt", b"content")
    address = as_address(f"{web.url}/a.txt?signature=secret")
    notes: list[str] = []
    with local_copies([address, tmp_path, None], notes.append) as (places, say):
        copy, *others = places
        assert copy.name == "a.txt"
        assert copy.read_bytes() == b"content"
        assert others == [tmp_path, None]
        say(f"{copy}: read")
    assert notes == [f"{web.url}/a.txt: read"]
    assert not copy.exists()
    with (
        pytest.raises(PolyframeError, match=rf"^{web.url}/a\.txt: not good$"),
        local_copies([address], notes.append) as ((copy,), _),
    ):
        raise PolyframeError(f"{copy}: not good")


def test_the_size_of_a_file_is_limited(web: WebServer) -> None:
    for sized in (False, True):
        web.serve("/a.yaml", bytes(1001), sized=sized, ranges=sized)
        address = as_address(f"{web.url}/a.yaml")
        assert address is not None
        with pytest.raises(PolyframeError, match=r"/a\.yaml: has more than 0\.001 MB; is it another file\?"):
            read_file(address, 1000)
        assert read_file(address, 1001) == bytes(1001)


def test_a_file_that_the_server_compressed_is_read_to_its_end(web: WebServer) -> None:
    """Programs that compress in blocks, such as bgzip, write many members."""
    lines = [b"ann\n", b"bob\n" * 200, b"cleo\n"]
    packed = b"".join(map(gzip.compress, lines))
    headers = {"Content-Encoding": "gzip"}
    web.serve("/names.txt", packed, headers=headers)
    address = as_address(f"{web.url}/names.txt")
    assert address is not None
    size = len(b"".join(lines))
    assert read_file(address, size) == b"".join(lines)
    with pytest.raises(PolyframeError, match=r"/names\.txt: has more than 0\.00\d+ MB; is it another file\?"):
        read_file(address, size - 1)
    for damaged in (packed[:-9], packed[:-4] + bytes(4), packed + b"more"):
        web.serve("/names.txt", damaged, headers=headers)
        with pytest.raises(
            PolyframeError, match=r"/names\.txt: the server compressed it with gzip, and it is d"
        ):
            read_file(address, size)


def test_a_configuration_at_an_address(bucket: Bucket, web: WebServer) -> None:
    text = (DATA / "config.yaml").read_bytes()
    expected = configure(DATA / "config.yaml", {}).settings
    bucket.write("config.yaml", text)
    web.serve("/packed.yaml", gzip.compress(text), headers={"Content-Encoding": "gzip"})
    assert configure(f"{bucket.url}/config.yaml", {}, options=bucket.options).settings == expected
    assert configure([f"{web.url}/packed.yaml?signature=1"], {}).settings == expected
    web.serve("/bad.yaml", b"epsilon: 1\n")
    with pytest.raises(pf.UsageError, match=rf"^{web.url}/bad\.yaml: unknown key 'epsilon'"):
        configure(f"{web.url}/bad.yaml?signature=1", {})


def test_names_of_volunteers_at_an_address(web: WebServer, tmp_path: Path) -> None:
    """A relative name in a configuration at an address is in the folder of that configuration."""
    web.serve("/project/names.txt", "ann\nbob\n".encode("utf-8-sig"))
    web.serve("/project/config.yaml", b"exclude_volunteers: [names.txt, cleo]\n")
    settings = configure(f"{web.url}/project/config.yaml?signature=1", {}).settings
    assert settings.exclude_volunteers == ("ann", "bob", "cleo")
    members = gzip.compress(b"ann\n") + gzip.compress(b"bob\n")
    web.serve("/project/names.txt", members, headers={"Content-Encoding": "gzip"})
    chosen = {"exclude_volunteers": f"{web.url}/project/names.txt"}
    assert configure(None, chosen).settings.exclude_volunteers == ("ann", "bob")
    web.serve("/project/config.yaml", b"exclude_volunteers: missing.txt\n")
    with pytest.raises(PolyframeError, match=rf"{web.url}/project/missing\.txt: does not exist"):
        configure(f"{web.url}/project/config.yaml", {})
    local = tmp_path / "config.yaml"
    local.write_text(f"exclude_volunteers: {web.url}/project/names.txt\n", encoding="utf-8")
    assert configure(local, {}).settings.exclude_volunteers == ("ann", "bob")


@pytest.mark.parametrize("name", ["expert.geojson", "classifications.csv"])
def test_gold_outlines_at_an_address(name: str, served: WebServer, made: Path) -> None:
    def scored(gold: str | Path) -> tuple[object, str]:
        notes: list[str] = []
        try:
            return pf.score(made, gold, say=notes.append).rows(), "\n".join(notes)
        except PolyframeError as error:  # the experts of this export took part
            return str(error), "\n".join(notes)

    here, notes_here = scored(DATA / name)
    there, notes_there = scored(f"{served.url}/{name}?signature=secret")
    assert there == here
    assert notes_there == notes_here.replace(str(DATA / name), f"{served.url}/{name}")


def test_exports_of_subjects_and_workflows_at_addresses(
    served: WebServer, made: Path, tmp_path: Path, polyframe: Callable[..., Done]
) -> None:
    def exported(place: Path | str, name: str) -> object:
        files = {what: f"{place}/{what}.csv" for what in ("subjects", "workflows", "classifications")}
        words = [word for what, file in files.items() for word in (f"--{what}", file)]
        assert polyframe("export", made, "--to", "coco", "-o", tmp_path / name, *words).code == 0
        return json.loads((tmp_path / name).read_text(encoding="utf-8"))

    assert exported(served.url, "there.json") == exported(DATA, "here.json")
    for page, place in (("here.html", str(DATA)), ("there.html", served.url)):
        pf.report(made, tmp_path / page, subjects=f"{place}/subjects.csv", say=print)
    assert (tmp_path / "there.html").read_bytes() == (tmp_path / "here.html").read_bytes()
    assert polyframe("config", f"{served.url}/workflows.csv", "-o", tmp_path / "configs").code == 0
    wrong = polyframe(
        "export", made, "--to", "coco", "-o", tmp_path / "x", "--subjects", f"{served.url}/workflows.csv"
    )
    assert wrong.err.startswith(f"polyframe: error: {served.url}/workflows.csv: not a subject export")


def test_a_subject_of_an_export_at_an_address(served: WebServer) -> None:
    link = f"{served.url}/subjects.csv?signature=secret"
    assert pf.plot.read_subject(link, 1000003) == pf.plot.read_subject(DATA / "subjects.csv", 1000003)
    with pytest.raises(PolyframeError, match=rf"^{served.url}/subjects\.csv: has no subject 5; is it"):
        pf.plot.read_subject(link, 5)


def test_copies_that_the_server_compressed(web: WebServer, served: WebServer, made: Path) -> None:
    """Members of gzip are joined; a file that is not compressed, in spite of its header, stays as it is."""
    expected = pf.score(made, DATA / "expert.geojson", say=lambda _: None).rows()
    content = (DATA / "expert.geojson").read_bytes()
    packed = gzip.compress(content[:1000]) + gzip.compress(content[1000:])
    headers = {"Content-Encoding": "gzip"}
    gold = f"{web.url}/gold.geojson"
    for sent in (packed, content):
        web.serve("/gold.geojson", sent, headers=headers)
        assert pf.score(made, gold, say=lambda _: None).rows() == expected
    problems = {
        "the server compressed it with gzip, and it is damaged": (packed[:-9], headers),
        "the server compresses it with br, which is not supported": (content, {"Content-Encoding": "br"}),
    }
    for problem, (sent, wrong) in problems.items():
        web.serve("/gold.geojson", sent, headers=wrong)
        with pytest.raises(PolyframeError, match=rf"^{gold}: {problem}"):
            pf.score(made, gold, say=lambda _: None)


def test_extractions_at_an_address(
    web: WebServer,
    bucket: Bucket,
    tmp_path: Path,
    polyframe: Callable[..., Done],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for variable, value in bucket.environment.items():
        monkeypatch.setenv(variable, value)
    file = ROOT / "tests" / "panoptes" / "extractions.csv"
    content = file.read_bytes()
    web.serve("/download", gzip.compress(content))
    bucket.write("a/extractions.csv", content)
    pf.reduce(file, output=tmp_path / "local", say=lambda _: None)
    tables = {table: pf.scan(tmp_path / "local", table).collect() for table in ("extractions", "reductions")}
    for number, place in enumerate((f"{web.url}/download?signature=1", f"{bucket.url}/a/extractions.csv")):
        out = tmp_path / str(number)
        assert polyframe("reduce", place, "-o", out).code == 0
        for table, expected in tables.items():
            assert pf.scan(out, table).collect().equals(expected)
        for function in (pf.reduce, pf.contours, pf.tune):
            more = {"say": lambda _: None}
            more |= {"eps": "0.5"} if function is pf.tune else {}
            there, here = (function(marks, **more) for marks in (place, file))
            frames = (there.reductions, here.reductions) if function is pf.reduce else (there, here)
            assert frames[0].equals(frames[1])
        done = polyframe("reduce", place)
        name = place.partition("?")[0]
        assert done.err == f"polyframe: error: {name}: name the directory for its tables with -o OUT\n"
    bucket.write("a/bad.csv", b"a,b\n1,2\n")
    done = polyframe("reduce", f"{bucket.url}/a/bad.csv", "-o", tmp_path / "bad")
    start = f"polyframe: error: {bucket.url}/a/bad.csv: not extractions of panoptes_aggregation: missing col"
    assert done.err.splitlines()[-1].startswith(start)
    done = polyframe("reduce", f"{bucket.url}/a/none.csv", "-o", tmp_path / "bad")
    assert done.err.startswith(f"polyframe: error: {bucket.url}/a/none.csv: does not exist")
