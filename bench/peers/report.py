"""The figures of the peers as tables, in Chinese and English, and as a bar chart."""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

from rich.console import Console

from bench.figures import Surroundings
from bench.peers.figures import Result
from bench.tables import between, print_table, titled
from credential.ports import Algorithm

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "docs" / "images" / "peers.svg"
PAGES = {"zh": ROOT / "docs" / "performance.md", "en": ROOT / "bench" / "README.md"}
MARKS = (
    "<!-- figures of the peers: written by `python -m bench.peers --write` -->\n",
    "<!-- end of the figures of the peers -->\n",
)
WANTED = {Algorithm.P256.value: 150}  # times what the best tuned Python stack makes

_OURS = {
    "press": ("本项目，排版与签名", "Yinzheng, press alone"),
    "pipeline": ("本项目，全流程", "Yinzheng, whole pipeline"),
}
_HEADS = (
    (
        "做法",
        "张／CPU 秒：中位（最小—最大）",
        "张／秒（时钟）",
        "占私钥极限",
        "本项目排版与签名为其",
        "文件字节（不含照片）",
    ),
    (
        "stack",
        "a CPU-second: median (least to most)",
        "a second (clock)",
        "share of the bare key",
        "our press is",
        "bytes without photo",
    ),
)
_FIRST_DECADE = -1  # the chart begins at a tenth of a certificate a second
_PHOTO = 39_038  # every photo of the made-up people has this length


def table(results: Sequence[Result], language: str) -> list[tuple[str, ...]]:
    """One kind of key: a line each, slowest first; those without a figure last."""
    at = int(language == "en")
    rows: list[tuple[str, ...]] = [_HEADS[at]]
    for one in sorted(results, key=lambda result: result.spread("cpu")[1] if result.runs else math.inf):
        if not one.runs:
            rows.append((_name(one, at), one.note[at], "", "", "", ""))
            continue
        least, median, most = one.spread("cpu")
        times = one.spread("times")[1]
        rows.append(
            (
                _name(one, at),
                f"{_short(median)} ({_short(least)}–{_short(most)})",
                _short(one.spread("clock")[1]),
                f"{one.spread('share')[1]:.2%}",
                "" if one.name == "press" else f"{times:,.1f} ×",
                f"{one.length - _PHOTO:,}" if one.length else "",
            )
        )
    return rows


def notes(results: Sequence[Result], language: str) -> list[str]:
    """What a reader must know of single figures."""
    at = int(language == "en")
    return [f"- {one.title} ({one.algorithm}): {one.note[at]}" for one in results if one.note[at] and one.runs]


def chart(results: Sequence[Result]) -> str:
    """A bar for each, by certificates a CPU-second on a logarithmic scale; a block for each kind of key."""
    wide, left, step, top = 960, 430, 22, 64
    measured = [one for one in results if one.runs]
    most = max(one.spread("cpu")[1] for one in measured)
    decades = math.ceil(math.log10(most))
    scale = (wide - left - 90) / (decades - _FIRST_DECADE)
    parts: list[str] = []
    y = top
    for algorithm, group in _by_key(measured):
        parts.append(f'<text x="12" y="{y + 6}" class="key">{algorithm}</text>')
        y += 16
        for one in sorted(group, key=lambda result: result.spread("cpu")[1]):
            rate = one.spread("cpu")[1]
            width = max(1.0, (math.log10(rate) - _FIRST_DECADE) * scale)
            ours = " ours" if one.name in _OURS else ""
            parts += [
                f'<text x="{left - 8}" y="{y + 14}" class="name">{escape(_short_name(one))}</text>',
                f'<rect x="{left}" y="{y + 3}" width="{width:.1f}" height="15" class="bar{ours}"/>',
                f'<text x="{left + width + 6:.1f}" y="{y + 14}" class="rate">{_short(rate)}</text>',
            ]
            y += step
        y += 18
    lines = []
    for decade in range(_FIRST_DECADE, decades + 1):
        x = left + scale * (decade - _FIRST_DECADE)
        lines += [
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{top - 12}" y2="{y - 14}" class="grid"/>',
            f'<text x="{x:.1f}" y="{top - 18}" class="tick">{10.0**decade:,g}</text>',
        ]
    style = (
        "text{font:13px sans-serif;fill:#1f2328}.key{font-weight:bold}.name{text-anchor:end}.tick{text-anchor:middle;"
        "fill:#57606a;font-size:11px}.bar{fill:#8c959f}.ours{fill:#a81a1a}.grid{stroke:#d0d7de}.title{font-size:15px}"
    )
    title = "每 CPU 秒证书数（对数刻度） certificates a CPU-second, logarithmic"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {y}" role="img" aria-label="{title}">'
        f'<style>{style}</style><rect width="{wide}" height="{y}" fill="#ffffff"/>'
        f'<text x="12" y="24" class="title">{title}</text>{"".join(lines)}{"".join(parts)}</svg>\n'
    )


def show(results: Sequence[Result], where: Surroundings, console: Console) -> None:
    """Print the tables for people."""
    console.print(about(where, "en"), markup=False)
    for algorithm, group in _by_key(results):
        print_table(console, algorithm, table(group, "en"))
    for line in against_tuned(results, "en"):
        console.print(line, markup=False)
    for note in notes(results, "en"):
        console.print(note, markup=False)


def publish(results: Sequence[Result], where: Surroundings) -> None:
    """Write the chart, and the tables between the two marks of each page."""
    CHART.write_text(chart(results), encoding="utf-8")
    for language, page in PAGES.items():
        image = "images/peers.svg" if page.parent.name == "docs" else "../docs/images/peers.svg"
        parts = [about(where, language), f"![每 CPU 秒证书数 certificates a CPU-second]({image})"]
        for algorithm, group in _by_key(results):
            parts.append(titled(algorithm, table(group, language)))
        parts += ["\n".join(lines) for lines in (against_tuned(results, language), notes(results, language)) if lines]
        page.write_text(between(page.read_text("utf-8"), MARKS, parts), encoding="utf-8")


def against_tuned(results: Sequence[Result], language: str) -> list[str]:
    """Say for each kind of key how our press stands to the best that Python's libraries reach after tuning."""
    lines = []
    for algorithm, group in _by_key(results):
        tuned = [one for one in group if one.runs and one.tuned[0]]
        if not tuned:
            continue
        best = max(tuned, key=lambda one: one.spread("cpu")[1])
        times, wanted = best.spread("times")[1], WANTED.get(algorithm)
        aim = ("", "")
        if wanted is not None:
            is_met = times >= wanted
            aim = (
                f"；目标 ≥ {wanted} 倍，{'达到' if is_met else '未达到'}",
                f"; wanted at least {wanted} times: {'met' if is_met else 'MISSED'}",
            )
        said = {
            "zh": f"本项目排版与签名为调优后最快的 Python 组合（{best.title}）的 {times:,.0f} 倍{aim[0]}。",
            "en": f"our press makes {times:,.0f} times what the best tuned Python stack does ({best.title}){aim[1]}.",
        }
        lines.append(f"- {algorithm}: {said[language]}")
    return lines


def about(where: Surroundings, language: str) -> str:
    """Say where and how it was measured."""
    machine = f"{where.processor}, {where.cores} cores, {where.system}, Python {where.python}, {where.openssl}"
    if language == "zh":
        return (
            f"{where.when} 以 `{where.command}` 测得，重复 {where.repeats} 次；{machine}；"
            f"平均负载：前 {where.load_before:.1f}，后 {where.load_after:.1f}。"
        )
    return (
        f"Measured {where.when} with `{where.command}`, {where.repeats} repetitions; {machine}; "
        f"load average {where.load_before:.1f} before and {where.load_after:.1f} after."
    )


def _name(one: Result, language: int) -> str:
    if one.name in _OURS:
        return _OURS[one.name][language]
    marks = [one.tuned[language]] if one.tuned[language] else []
    if one.only_signs:
        marks.append(("仅签名", "signing only")[language])
    return (
        f"{one.title}（{'，'.join(marks)}）"
        if marks and language == 0
        else (f"{one.title} ({', '.join(marks)})" if marks else one.title)
    )


def _by_key(results: Sequence[Result]) -> Iterator[tuple[str, list[Result]]]:
    """The results of each kind of key, in the order in which the keys came; a run may have been interrupted."""
    for algorithm in dict.fromkeys(one.algorithm for one in results):
        yield algorithm, [one for one in results if one.algorithm == algorithm]


def _short_name(one: Result) -> str:
    """What stands beside a bar."""
    if one.name in _OURS:
        return " ".join(_OURS[one.name])
    if one.only_signs:
        return f"{one.title}，仅签名 signing only"
    return f"{one.title}，调优 tuned" if one.tuned[0] else one.title


def _short(rate: float) -> str:
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"
