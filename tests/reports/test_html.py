"""The page: valid, self-contained, escaped."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.reports.conftest import read_page
from unimo.reports import (
    CaptionExample,
    ChoiceExample,
    ChoiceRow,
    ContrastExample,
    Curve,
    MetricRow,
    Page,
    RankedImage,
    RetrievalExample,
    RewrittenCaption,
    ScoredCaption,
    TextExample,
    Timing,
    Verdict,
    write_page,
)
from unimo.reports.html import duration, render_page
from unimo.reports.pictures import LONGEST_SIDE, thumbnail_uri

EVIL = "<script>alert(\"x\")</script> & 'y'"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    noise = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    path = tmp_path / "photo.jpg"
    cv2.imwrite(str(path), noise)
    return path


@pytest.fixture
def drawing(tmp_path: Path) -> Path:
    path = tmp_path / "drawing.png"
    cv2.imwrite(str(path), np.full((90, 60, 3), 200, np.uint8))
    return path


def full_page(text: str, photo: Path | None, drawing: Path | None) -> Page:
    return Page(
        title=text,
        summary=text,
        metrics=(MetricRow(text, text, 0.5, 0.25, text), MetricRow(text, text, None), MetricRow("b", "c", 3.2)),
        timings=(Timing(text, 61.0), Timing("other", 3.0)),
        curves=(Curve(text, text, (1, 2, 3), (3.0, 2.0, 1.0)),),
        captions=(
            CaptionExample(text, photo, text, (Verdict(text, True, text), Verdict(text, False, text)), (text, text)),
        ),
        captions_note=text,
        retrieval=(RetrievalExample(text, (RankedImage(text, drawing, 1.0, True),), 1),),
        retrieval_note=text,
        choices=(
            ChoiceExample(
                text, drawing, (text,), (ScoredCaption(text, (1.0,), text), ScoredCaption(text, (0.5,))), (2,), text
            ),
        ),
        choice_rows=(ChoiceRow(text, text, 0.5, {text: None}),),
        choices_note=text,
        contrasts=(
            ContrastExample(
                text,
                drawing,
                text,
                {text: (RewrittenCaption(((text, False), (text, True))),), "none": ()},
                (text,),
                ((text, drawing),),
                (text,),
            ),
        ),
        contrasts_note=text,
        texts=(TextExample((text, text), text, text),),
        texts_note=text,
        notes=(text,),
    )


def decode(uri: str) -> np.ndarray:
    head, _, data = uri.partition(",")
    assert head in ("data:image/png;base64", "data:image/jpeg;base64")
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data, validate=True), np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    return picture


def test_everything_is_escaped(photo: Path, drawing: Path) -> None:
    text = render_page(full_page(EVIL, photo, drawing))
    assert "<script" not in text
    reader = read_page(text)
    assert not any(tag == "script" for tag, _ in reader.elements)
    # title, headline, summary and all the rest arrive as they were given
    assert reader.all_text.count("alert(\"x\")</script> & 'y'") >= 40


def test_needs_nothing_else(photo: Path, drawing: Path, tmp_path: Path) -> None:
    write_page(full_page("a", photo, drawing), tmp_path / "out" / "report.html")
    text = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert text.startswith("<!DOCTYPE html>")
    assert not re.search(r"https?://|@import|url\(", text)
    reader = read_page(text)
    assert not {tag for tag, _ in reader.elements} & {"script", "link", "iframe", "object"}
    assert all(source.startswith("data:image/") for source in reader.images)
    sections = ["results", "captions", "retrieval", "choices", "contrasts", "texts", "curves", "timings", "notes"]
    assert reader.sections == sections


def test_same_page_gives_same_bytes(photo: Path, drawing: Path) -> None:
    assert render_page(full_page("a", photo, drawing)) == render_page(full_page("a", photo, drawing))


def test_pictures_decode_and_are_small(photo: Path, drawing: Path) -> None:
    first, second, *_ = map(decode, read_page(render_page(full_page("a", photo, drawing))).images)
    assert first.shape == (LONGEST_SIDE * 3 // 4, LONGEST_SIDE, 3)
    assert second.shape == (90, 60, 3), "small pictures are left as they are"
    assert (second == 200).all(), "a drawing keeps its colours exactly"


def test_missing_pictures_are_counted(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"not a picture")
    assert thumbnail_uri(broken) is None
    reader = read_page(render_page(full_page("a", broken, None)))
    assert reader.images == []
    assert "missing or could not be read: 1 (a)" in reader.all_text


def test_empty_sections_are_left_out() -> None:
    reader = read_page(render_page(Page("title", "summary")))
    assert reader.sections == []
    assert "summary" in reader.all_text


def test_values_stand_in_their_units() -> None:
    rows = (MetricRow("t", "share", 0.5, 0.125), MetricRow("t", "count", 2.5, unit="number"), MetricRow("t", "n", None))
    reader = read_page(render_page(Page("title", "summary", metrics=rows)))
    text = reader.all_text.replace("\xa0", " ")
    assert "50.0 %" in text and "12.5 %" in text and "2.500" in text and "–" in text  # noqa: RUF001
    assert len(reader.of_class("bar")) == 1


def test_right_and_wrong_are_marked() -> None:
    good, bad = Verdict("objects", True, "there"), Verdict("position", False, "left, not right")
    page = Page(
        "t", "s", captions=(CaptionExample("1", None, "c", (good,)), CaptionExample("2", None, "d", (good, bad)))
    )
    cards = [attributes["class"] for attributes in read_page(render_page(page)).of_class("card")]
    assert cards == ["card right", "card wrong"]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.04, "0.0 s"), (59.94, "59.9 s"), (61, "1 min 01 s"), (3599.7, "1 h 00 min"), (11220, "3 h 07 min")],
)
def test_duration(seconds: float, words: str) -> None:
    assert duration(seconds) == words
