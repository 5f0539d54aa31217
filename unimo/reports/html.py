"""A page drawn as one HTML file that needs nothing else: styles, charts and pictures are inside it.

Everything that comes from data is escaped. The same page gives the same bytes: no dates, no machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path

from unimo.files import atomic_write
from unimo.reports.curves import chart_svg
from unimo.reports.html_contrasts import choices, contrasts
from unimo.reports.page import (
    CaptionExample,
    Curve,
    MetricRow,
    Page,
    RetrievalExample,
    TextExample,
    Timing,
)
from unimo.reports.pictures import Pictures


def write_page(page: Page, output: Path) -> None:
    """Write a self-contained HTML file, atomically."""
    text = render_page(page)
    with atomic_write(output) as stream:
        stream.write(text)


def render_page(page: Page) -> str:
    """The page as one HTML document."""
    pictures = Pictures()
    sections = [
        _section("results", "Results", _metrics(page.metrics), _results_note(page.metrics)),
        _section("captions", "Generated captions", _captions(page.captions, pictures), page.captions_note),
        _section("retrieval", "Retrieval", _retrieval(page.retrieval, pictures), page.retrieval_note),
        _section("choices", "Right caption among ten wrong ones", choices(page, pictures), page.choices_note),
        _section("contrasts", "What contrastive learning reads", contrasts(page, pictures), page.contrasts_note),
        _section("texts", "Text task", _texts(page.texts), page.texts_note),
        _section("curves", "Losses", _curves(page.curves), "Faint: as logged. Strong: moving mean."),
        _section("timings", "Time", _timings(page.timings, page.total_seconds)),
    ]
    notes = [*page.notes, *pictures.notes()]
    sections.append(_section("notes", "Notes", _notes(notes)))
    style = files("unimo.reports").joinpath("report.css").read_text(encoding="utf-8")
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"<title>{escape(page.title)}</title>\n<style>\n{style}</style>\n</head>\n<body>\n<main>\n"
        f"<header><h1>{escape(page.title)}</h1>\n<p>{escape(page.summary)}</p></header>\n"
        f"{''.join(sections)}</main>\n</body>\n</html>\n"
    )


def _section(name: str, title: str, body: str, note: str = "") -> str:
    """A section, or nothing where there is nothing to show."""
    if not body:
        return ""
    said = f'<p class="note">{escape(note)}</p>\n' if note else ""
    return f'<section id="{name}">\n<h2>{escape(title)}</h2>\n{said}{body}\n</section>\n'


def _metrics(rows: Sequence[MetricRow]) -> str:
    if not rows:
        return ""
    bodies = []
    for task, group in groupby(rows, key=lambda row: row.task):
        members = list(group)
        head = f'<th scope="rowgroup" rowspan="{len(members)}">{escape(task)}</th>'
        lines = [f"<tr>{head if not index else ''}{_metric_cells(row)}</tr>" for index, row in enumerate(members)]
        bodies.append("<tbody>\n" + "\n".join(lines) + "\n</tbody>")
    head = (
        '<th>Task</th><th>Metric</th><th class="num">Value</th><th class="num">Chance level</th><th class="bars"></th>'
    )
    return (
        f'<div class="scroll"><table class="metrics">\n<thead><tr>{head}<th>Note</th></tr></thead>\n'
        + "\n".join(bodies)
        + "\n</table></div>"
    )


def _results_note(rows: Sequence[MetricRow]) -> str:
    return "The mark on a bar is the chance level." if any(row.baseline is not None for row in rows) else ""


def _metric_cells(row: MetricRow) -> str:
    return (
        f'<td>{escape(row.metric)}</td><td class="num value">{_quantity(row.value, row.unit)}</td>'
        f'<td class="num level">{_quantity(row.baseline, row.unit)}</td><td class="bars">{_bar(row)}</td>'
        f'<td class="remark">{escape(row.note)}</td>'
    )


def _quantity(value: float | None, unit: str) -> str:
    if value is None:
        return "&ndash;"
    if unit != "share":
        return f"{value:.3f}"
    return f"{100 * value:.{2 if 0 < value < 0.0005 else 1}f}&nbsp;%"  # not 0.0 where there is something


def _bar(row: MetricRow) -> str:
    """A bar for the value and a tick at the chance level, for shares only."""
    if row.unit != "share" or row.value is None:
        return ""
    tick = "" if row.baseline is None else f'<b style="left:{_percent(row.baseline)}%"></b>'
    return f'<span class="bar"><i style="width:{_percent(row.value)}%"></i>{tick}</span>'


def _percent(value: float) -> str:
    return f"{100 * min(max(value, 0.0), 1.0):.1f}"


def _timings(timings: Sequence[Timing], total: float | None) -> str:
    if not timings:
        return ""
    one_after_another = sum(each.seconds for each in timings)
    total = one_after_another if total is None else total
    together = "together" if total > 0.99 * one_after_another else "together (what ran side by side counts once)"
    rows = "\n".join(
        f'<tr><td>{escape(each.stage)}</td><td class="num">{duration(each.seconds)}</td>'
        f'<td class="bars"><span class="bar plain"><i style="width:{_percent(each.seconds / total if total else 0)}%">'
        "</i></span></td></tr>"
        for each in timings
    )
    foot = f'<tr><td>{together}</td><td class="num">{duration(total)}</td><td></td></tr>'
    head = '<th>Stage</th><th class="num">Time</th><th class="bars"></th>'
    return (
        f'<div class="scroll"><table class="timings"><thead><tr>{head}</tr></thead><tbody>\n{rows}\n</tbody>'
        f"<tfoot>{foot}</tfoot></table></div>"
    )


def duration(seconds: float) -> str:
    """`7.2 s`, `12 min 05 s` or `3 h 07 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _curves(curves: Sequence[Curve]) -> str:
    """Charts run by run; neighbouring runs of one chart each share a line."""
    runs = [list(group) for _, group in groupby((c for c in curves if c.values), key=lambda curve: curve.run)]
    parts = []
    for single, group in groupby(runs, key=lambda run: len(run) == 1):
        members = list(group)
        rows = [[curve for run in members for curve in run]] if single else members
        for row in rows:
            title = ", ".join(dict.fromkeys(curve.run for curve in row))
            charts = "\n".join(map(_chart, row))
            parts.append(f'<h3>{escape(title)}</h3>\n<div class="charts">\n{charts}\n</div>')
    return "\n".join(parts)


def _chart(curve: Curve) -> str:
    change = f"{curve.values[0]:.3g} \u2192 {curve.values[-1]:.3g}"
    name = escape(curve.name.replace("_", " "))
    return f"<figure>{chart_svg(curve)}<figcaption>{name} <span>{change}</span></figcaption></figure>"


def _captions(examples: Sequence[CaptionExample], pictures: Pictures) -> str:
    if not examples:
        return ""
    return '<div class="cards">\n' + "\n".join(_caption_card(each, pictures) for each in examples) + "\n</div>"


def _caption_card(example: CaptionExample, pictures: Pictures) -> str:
    judged = bool(example.verdicts)
    right = all(verdict.right for verdict in example.verdicts)
    kind = "" if not judged else " right" if right else " wrong"
    badge = f'<p class="badge">{"all right" if right else "wrong"}</p>' if judged else ""
    verdicts = "".join(
        f'<li class="{"right" if each.right else "wrong"}"><b>{escape(each.aspect)}</b> {escape(each.reason)}</li>'
        for each in example.verdicts
    )
    told = "".join(f"<li>{escape(text)}</li>" for text in example.references)
    count = f"{len(example.references)} true captions" if len(example.references) > 1 else "a true caption"
    references = f'<details><summary>{count}</summary><ul class="references">{told}</ul></details>'
    return (
        f'<article class="card{kind}"><div class="picture">{pictures.element(example.image, example.image_id)}</div>'
        f'<div class="said">{badge}<p class="caption">{escape(example.caption) or "<em>(nothing)</em>"}</p>'
        + (f'<ul class="verdicts">{verdicts}</ul>' if verdicts else "")
        + (references if told else "")
        + "</div></article>"
    )


def _retrieval(examples: Sequence[RetrievalExample], pictures: Pictures) -> str:
    return "\n".join(_retrieval_row(each, pictures) for each in examples)


def _retrieval_row(example: RetrievalExample, pictures: Pictures) -> str:
    hits = "\n".join(
        f'<figure class="hit{" right" if hit.right else ""}">{pictures.element(hit.image, hit.image_id)}'
        f"<figcaption>{rank}. <span>{hit.score:.2f}</span></figcaption></figure>"
        for rank, hit in enumerate(example.hits, start=1)
    )
    if example.rank is None:
        place, kind = f"right image not among the first {example.depth}", "wrong"
    else:
        place, kind = f"right image at rank {example.rank}", "right" if example.rank == 1 else "near"
    return (
        f'<article class="query"><p class="caption">{escape(example.caption)}</p>'
        f'<p class="badge {kind}">{place}</p>\n<div class="hits">\n{hits}\n</div></article>'
    )


def _texts(examples: Sequence[TextExample]) -> str:
    if not examples:
        return ""
    labelled = any(each.label is not None for each in examples)
    rows = "\n".join(_text_row(each, labelled) for each in examples)
    true = '<th class="num">True</th>' if labelled else ""
    head = f'<thead><tr><th>Text</th><th class="num">Predicted</th>{true}</tr></thead>'
    return f'<div class="scroll"><table class="texts">{head}<tbody>\n{rows}\n</tbody></table></div>'


def _text_row(example: TextExample, labelled: bool) -> str:
    text = "<br>".join(escape(part) for part in example.texts)
    kind = "" if example.label is None else "right" if example.label == example.predicted else "wrong"
    label = "&ndash;" if example.label is None else escape(example.label)
    true = f'<td class="num">{label}</td>' if labelled else ""
    mark = f'<span class="mark {kind}">{escape(example.predicted)}</span>'
    return f'<tr><td>{text}</td><td class="num">{mark}</td>{true}</tr>'


def _notes(notes: Sequence[str]) -> str:
    return "<ul>\n" + "\n".join(f"<li>{escape(note)}</li>" for note in notes) + "\n</ul>" if notes else ""
