"""Captions beside wrong ones, as HTML: how a model ranks them, and what contrastive learning reads."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from itertools import groupby

from unimo.reports.page import ChoiceExample, ChoiceRow, ContrastExample, Page, RewrittenCaption, ScoredCaption
from unimo.reports.pictures import Pictures


def choices(page: Page, pictures: Pictures) -> str:
    """The table of accuracies, and an image after the other with its captions as they were ranked."""
    cards = "\n".join(_choice(each, pictures) for each in page.choices)
    return _accuracies(page.choice_rows) + (f'\n<div class="cards wide">\n{cards}\n</div>' if cards else "")


def _accuracies(rows: Sequence[ChoiceRow]) -> str:
    if not rows:
        return ""
    kinds = list(rows[0].pairwise)
    bodies = []
    for scorer, group in groupby(rows, key=lambda row: row.scorer):
        members = list(group)
        head = f'<th scope="rowgroup" rowspan="{len(members)}">{escape(scorer)}</th>'
        lines = [f"<tr>{head if not index else ''}{_accuracy_cells(row)}</tr>" for index, row in enumerate(members)]
        bodies.append("<tbody>\n" + "\n".join(lines) + "\n</tbody>")
    columns = ["all ten beaten", *(f"one beaten: {kind}" for kind in kinds)]
    head = "<th>Score</th><th>Captions</th>" + "".join(f'<th class="num">{escape(each)}</th>' for each in columns)
    return (
        f'<div class="scroll"><table class="choice-rates"><thead><tr>{head}</tr></thead>\n'
        + "\n".join(bodies)
        + "\n</table></div>"
    )


def _accuracy_cells(row: ChoiceRow) -> str:
    values = "".join(f'<td class="num">{_share(value)}</td>' for value in row.pairwise.values())
    return f'<td>{escape(row.part)}</td><td class="num value">{_share(row.accuracy)}</td>{values}'


def _share(value: float | None) -> str:
    return "&ndash;" if value is None else f"{100 * value:.1f}&nbsp;%"


def _choice(example: ChoiceExample, pictures: Pictures) -> str:
    badges = "".join(
        f'<p class="badge {"right" if rank == 1 else "wrong"}">{escape(scorer)}: '
        f"{'first' if rank == 1 else f'place {rank} of {len(example.captions)}'}</p> "
        for scorer, rank in zip(example.scorers, example.ranks, strict=True)
    )
    remark = f'<p class="remark">{escape(example.remark)}</p>' if example.remark else ""
    head = "<th></th><th>Caption</th>" + "".join(f'<th class="num">{escape(name)}</th>' for name in example.scorers)
    rows = "\n".join(map(_choice_row, example.captions))
    kind = "right" if example.ranks[0] == 1 else "wrong"
    return (
        f'<article class="card {kind}"><div class="picture">{pictures.element(example.image, example.image_id)}'
        f'{remark}</div><div class="said scroll"><div>{badges}</div>'
        f'<table class="choice"><thead><tr>{head}</tr></thead><tbody>\n'
        f"{rows}\n</tbody></table></div></article>"
    )


def _choice_row(caption: ScoredCaption) -> str:
    kind = f'<span class="mark wrong">{escape(caption.kind)}</span>' if caption.kind else _TRUE
    scores = "".join(f'<td class="num">{score:.2f}</td>' for score in caption.scores)
    return f"<tr{'' if caption.kind else _TRUE_ROW}><td>{kind}</td><td>{escape(caption.text)}</td>{scores}</tr>"


_TRUE, _TRUE_ROW = '<span class="mark right">true</span>', ' class="true"'


def contrasts(page: Page, pictures: Pictures) -> str:
    """A training caption after the other: its rewrites by kind, positives, retrieved images and texts."""
    return "\n".join(_contrast(each, pictures) for each in page.contrasts)


def _contrast(example: ContrastExample, pictures: Pictures) -> str:
    rows = [_told(kind, map(_rewritten, texts), "wrong") for kind, texts in example.rewrites.items()]
    rows.append(_told("said otherwise", map(escape, example.positives), "right"))
    rows.append(_told("retrieved texts", map(escape, example.retrieved_texts), ""))
    retrieved = "\n".join(
        f'<figure class="hit">{pictures.element(path, image_id)}<figcaption>{place}. {escape(image_id)}</figcaption>'
        "</figure>"
        for place, (image_id, path) in enumerate(example.retrieved_images, start=1)
    )
    hits = f'\n<h3>retrieved images</h3><div class="hits">\n{retrieved}\n</div>' if retrieved else ""
    picture = pictures.element(example.image, example.image_id)
    return (
        f'<article class="query contrast"><div class="picture">{picture}</div>'
        f'<div class="said"><p class="caption">{escape(example.caption)}</p>\n<dl>{"".join(rows)}</dl>{hits}</div>'
        "</article>"
    )


def _told(name: str, texts: Iterable[str], kind: str) -> str:
    lines = "".join(f"<li>{text}</li>" for text in texts)
    found = f'<ul class="references">{lines}</ul>' if lines else '<span class="remark">none</span>'
    return f'<dt><span class="mark {kind}">{escape(name)}</span></dt><dd>{found}</dd>\n'


def _rewritten(caption: RewrittenCaption) -> str:
    return "".join(f"<mark>{escape(text)}</mark>" if new else escape(text) for text, new in caption.pieces)
