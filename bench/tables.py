"""The figures as tables: on the console, and between the two marks of bench/README.md."""

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import Figures, Result, Stage, Surroundings, Workers
from credential.ports import Algorithm

BEGIN, END = "<!-- figures: written by `bench/issue.py --write-readme` -->\n", "<!-- end of figures -->\n"

PLAIN_WIDTH = 150  # of tables that are piped or redirected


def summary(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """The main figures, a line each: what, then one cell a key."""
    lines: list[tuple[str, ...]] = [("", *(one.algorithm for one in results))]

    def line(what: str, *cells: str) -> None:
        lines.append((what, *cells))

    line("raw key operation, /s on the clock", *(one.pipeline.raw_wall.text() for one in results))
    line("raw key operation, /CPU-second", *(one.pipeline.raw_cpu.text() for one in results))
    line("**whole pipeline, certificates/s on the clock**", *(one.pipeline.wall.text() for one in results))
    line("whole pipeline, certificates/CPU-second", *(one.pipeline.cpu.text() for one in results))
    line("whole pipeline, share of the raw operation, clock", *(one.pipeline.share_wall.text(".1%") for one in results))
    line("**the same, CPU**", *(one.pipeline.share_cpu.text(".1%") for one in results))
    line("press alone, in memory, certificates/s on the clock", *(one.press.wall.text() for one in results))
    line("press alone, certificates/CPU-second", *(one.press.cpu.text() for one in results))
    line("press alone, share of the raw operation, clock", *(one.press.share_wall.text(".1%") for one in results))
    line("**the same, CPU**", *(one.press.share_cpu.text(".1%") for one in results))
    line("first batch of a process, certificates/s on the clock", *(f"{one.first_batch:,.0f}" for one in results))
    line("with stopwatches (table of stages), certificates/s", *(f"{one.stopped:,.0f}" for one in results))
    line("submit a row with its photo, ms (not in the pipeline)", *(f"{one.submit_ms:.2f}" for one in results))
    line("approve a row, ms (not in the pipeline)", *(f"{one.approve_ms:.2f}" for one in results))
    line("most memory, the benchmark's own rows and jobs included, MB", *(f"{one.peak_mb:,.0f}" for one in results))
    line("documents verified afterwards", *(str(one.checked) for one in results))
    if any(one.workers for one in results):
        line("several processes, certificates/s", *(_workers(one.workers) for one in results))
    return lines


def openings(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Seconds until the first certificate."""
    head = ("", *(f"{one.algorithm}, {which}" for one in results for which in ("nothing cached", "cached on disk")))
    both = [opening for one in results for opening in (one.cold, one.cached)]
    return [
        head,
        ("start Python, import", *(f"{one.imports:.2f} s" for one in both)),
        ("decipher the keys (scrypt)", *(f"{one.keys:.2f} s" for one in both)),
        ("both layouts: compile, or read", *(f"{one.templates:.2f} s" for one in both)),
        ("a batch of one, approved to logged", *(f"{one.first:.2f} s" for one in both)),
        ("the same in a warm process", *(cell for one in results for cell in ("", f"{one.first_warm:.3f} s"))),
    ]


def stages(found: Sequence[Stage]) -> list[tuple[str, ...]]:
    """Where the time of the pipeline went."""
    rows = [("stage", "ms on the clock", "ms CPU", "share of the clock", "calls")]
    for one in sorted(found, key=lambda stage: -stage.wall_ms):
        cells = (f"{one.wall_ms:.4f}", f"{one.cpu_ms:.4f}", f"{one.percent_of_wall:.1f} %", f"{one.calls:,}")
        rows.append((one.name, *cells))
    wall, cpu = (sum(getattr(one, what) for one in found) for what in ("wall_ms", "cpu_ms"))
    return [*rows, ("all", f"{wall:.4f}", f"{cpu:.4f}", "100 %", "")]


def sizes(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """Bytes of a certificate."""
    head = ("bytes", *(one.algorithm for one in results))
    return [
        head,
        ("prefix, stored once", *(f"{one.sizes.prefix:,}" for one in results)),
        ("tail without the photo, stored for each", *(f"{one.sizes.tail_without_photo:,.0f}" for one in results)),
        ("photo", *(f"{one.sizes.photo:,.0f}" for one in results)),
        ("PDF", *(f"{one.sizes.document:,.0f}" for one in results)),
        (
            "PDF without the photo",
            *(f"{one.sizes.prefix + one.sizes.tail_without_photo:,.0f}" for one in results),
        ),
    ]


def tables(figures: Figures) -> list[tuple[str, list[tuple[str, ...]]]]:
    """Every table with its title."""
    results = figures.results
    return [
        ("Against the targets", targets(results)),
        ("Rates", summary(results)),
        *((f"Stages, {one.algorithm}, per certificate", stages(one.stages)) for one in results),
        ("Until the first certificate", openings(results)),
        ("Sizes", sizes(results)),
    ]


def targets(results: Sequence[Result]) -> list[tuple[str, ...]]:
    """What was to be reached, what was, and whether; CPU figures, which other work on the machine disturbs least."""
    rows: list[tuple[str, ...]] = [("target", "wanted", "measured", "")]
    for one in results:
        for what, wanted, figure, form, at_most in _aims(one):
            is_met = figure <= wanted if at_most else figure >= wanted
            sign = "at most" if at_most else "at least"
            rows.append((f"{one.algorithm}: {what}", f"{sign} {wanted:{form}}", f"{figure:{form}}", _MET[is_met]))
    return rows


_MET = {True: "met", False: "MISSED"}


def _aims(one: Result) -> Iterator[tuple[str, float, float, str, bool]]:
    """What is wanted of a kind of key, the figure, how to write them, and whether less is better."""
    if one.algorithm == Algorithm.RSA_2048:
        yield "whole pipeline, share of the raw operation", 0.5, one.pipeline.share_cpu.median, ".0%", False
        yield "press alone, share of the raw operation", 0.65, one.press.share_cpu.median, ".0%", False
    if one.algorithm == Algorithm.RSA_3072:
        yield "press alone, share of the raw operation", 0.8, one.press.share_cpu.median, ".0%", False
    if one.algorithm == Algorithm.P256:
        yield "whole pipeline, certificates/CPU-second", 3000, one.pipeline.cpu.median, ",.0f", False
    if one.workers is not None:
        yield f"{one.workers.processes} processes against one", 1.7, one.workers.after_start_against_one, ".2f", False
    yield "both layouts compiled, nothing cached, s", 5, one.cold.templates, ".2f", True
    yield "both layouts read, cached, s", 0.3, one.cached.templates, ".2f", True
    yield "first certificate of a batch, new process, s", 0.5, one.cached.first, ".2f", True
    yield "tail without photo, bytes", 25_000, one.sizes.tail_without_photo, ",.0f", True
    yield "PDF without photo, bytes", 60_000, one.sizes.prefix + one.sizes.tail_without_photo, ",.0f", True


def show(figures: Figures, console: Console) -> None:
    """Print the tables for people."""
    console.print(about(figures.surroundings), markup=False)
    for title, rows in tables(figures):
        print_table(console, title, rows)


def rewrite(page: str, figures: Figures) -> str:
    """Put the figures between the two marks of a page."""
    return between(page, (BEGIN, END), [about(figures.surroundings), *(titled(*one) for one in tables(figures))])


def between(page: str, marks: tuple[str, str], parts: Sequence[str]) -> str:
    """Put paragraphs between two marks of a page; the rest stays.

    Raises:
        ValueError: the page has not the two marks, in their order.
    """
    before, begin, rest = page.partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        raise ValueError(f"the page has no {marks[0].strip()} ... {marks[1].strip()}")
    body = "\n\n".join(parts)
    return f"{before}{begin}\n{body}\n\n{end}{after}"


def titled(title: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A table of Markdown under its title; numbers stand to the right."""
    head, *rest = rows
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---", *("---:" for _ in head[1:])], *rest)]
    return "\n".join([f"### {title}", "", *lines])


def print_table(console: Console, title: str, rows: Sequence[tuple[str, ...]]) -> None:
    """The same on a console."""
    head, *rest = rows
    table = Table(title=title, title_justify="left")
    for at, cell in enumerate(head):
        table.add_column(cell, justify="right" if at else "left")
    for row in rest:
        table.add_row(*(cell.replace("**", "") for cell in row))
    console.print(table)


def about(where: Surroundings) -> str:
    """Say in a paragraph what was measured, where and how."""
    return (
        f"Measured {where.when} with `{where.command}`: {where.repeats} repetitions of {where.rows:,} certificates, "
        f"median (least to most). {where.processor}, {where.cores} cores, load average {where.load_before:.1f} before "
        f"and {where.load_after:.1f} after; {where.system}, Python {where.python}, {where.openssl}; "
        f"files on {where.file_system}, where a synced write of 4 KB takes {where.sync_ms:.2f} ms."
    )


def _workers(one: Workers | None) -> str:
    if one is None:
        return ""
    return (
        f"{one.processes} processes, {one.rows:,} rows: "
        f"{one.wall:,.0f} with their start ({one.against_one:.2f} x one), "
        f"{one.after_start:,.0f} after it ({one.after_start_against_one:.2f} x)"
    )
