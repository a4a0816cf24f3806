"""What the data doctor found: a report for people and for programs, and what follows from it."""

from __future__ import annotations

import dataclasses
import json
import statistics

from absl import logging

LIST_CAP = 20
BAD_DATA_CHOICES = ("fail", "skip")
DUPLICATES_CHOICES = ("keep", "drop", "fail")


class BadData(ValueError):
    """Raised for a data set with broken images or identities that have too few.

    Attributes:
        report: the `Report` with all that was found.
    """

    def __init__(self, report: Report):
        lines = [f"{report.source}: bad data.", *report.problems()]
        if report.broken or report.short:
            lines.append("Mend or remove them, or leave them out by on_bad_data=skip.")
        if report.torn or (report.duplicates and report.on_duplicates == "fail"):
            lines.append("Keep one of each group of copies by on_duplicates=drop, or all by keep.")
        super().__init__("\n".join(lines))
        self.report = report


@dataclasses.dataclass
class Report:
    """What the data doctor found.

    Attributes:
        source: the folder that was looked at.
        k: how many images an identity should have at least.
        on_duplicates: what is done about images that are there twice: `"keep"` them all, `"drop"`
            all but the first of each group, or `"fail"`.
        counts: how many usable images each identity has.
        broken: files that are no usable images, each with the reason.
        duplicates_within: groups of files of one identity that show the same once decoded.
        duplicates_across: groups of such files of two or more identities.
        alike: pairs of files of two identities that look alike, as far as `data.check` looked for them: perhaps one image
            that was saved anew. See `likeness`.
        linked: groups of names of identities that share an image, see `IdentityData`.
        parts: the part of the split that each identity belongs to, where the data say so.
        merged: groups of names that were taken for one identity.
        ignored: how many files of which extension were passed over.
        nested: folders inside an identity's folder that hold images, which were not read.
        sizes: how many images have which original size, `"WIDTHxHEIGHT"`.
        modes: how many images have which original format and Pillow mode, `"PNG RGB"`.
    """

    source: str
    k: int = 1
    on_duplicates: str = "keep"
    counts: dict[str, int] = dataclasses.field(default_factory=dict)
    broken: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    duplicates_within: list[list[str]] = dataclasses.field(default_factory=list)
    duplicates_across: list[list[str]] = dataclasses.field(default_factory=list)
    alike: list[list[str]] = dataclasses.field(default_factory=list)
    linked: list[list[str]] = dataclasses.field(default_factory=list)
    parts: dict[str, str] = dataclasses.field(default_factory=dict)
    merged: list[list[str]] = dataclasses.field(default_factory=list)
    ignored: dict[str, int] = dataclasses.field(default_factory=dict)
    nested: list[str] = dataclasses.field(default_factory=list)
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    modes: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def identities(self) -> int:
        """How many identities there are, those without any usable image included."""
        return len(self.counts)

    @property
    def images(self) -> int:
        """How many usable images there are."""
        return sum(self.counts.values())

    @property
    def short(self) -> list[tuple[str, int]]:
        """Identities with fewer than `k` images, with how many they have."""
        return [(name, count) for name, count in self.counts.items() if count < self.k]

    @property
    def duplicates(self) -> bool:
        """Whether some image is there twice."""
        return bool(self.duplicates_within or self.duplicates_across)

    @property
    def clean(self) -> bool:
        """Whether there is no bad data. Ignored files are none; duplicates are only if asked, or if they lie in two
        parts of a split that came with the data.
        """
        copies = self.duplicates and self.on_duplicates == "fail"
        return not (self.broken or self.short or copies or self.torn)

    @property
    def torn(self) -> list[list[str]]:
        """Groups of identities that share an image but belong to several parts of the split."""
        return [group for group in self.linked if len({self.parts.get(name) for name in group}) > 1]

    def problems(self) -> list[str]:
        """The bad data in words, one line each; long lists are capped."""
        lines = self._duplicate_lines() if self.on_duplicates == "fail" else []
        if self.broken:
            lines.append(f"{_count(len(self.broken), 'broken image')}:")
            lines += _capped([f"{path}: {reason}" for path, reason in self.broken])
        if self.torn:
            groups = _count(len(self.torn), "group")
            lines.append(
                f"{groups} of identities that share an image, in several parts of the split:"
            )
            lines += _capped([" = ".join(_capped_names(group)) for group in self.torn])
        if self.short:
            short = _count(len(self.short), "identity", "identities")
            lines.append(f"{short} with fewer than k={self.k} images:")
            lines += _capped([f"{name}: {count}" for name, count in self.short])
        return [printable(line) for line in lines]

    def warnings(self) -> list[str]:
        """What is odd but not bad, one line each; long lists are capped."""
        lines = self._duplicate_lines() if self.on_duplicates != "fail" else []
        if self.alike:
            pairs = _count(len(self.alike), "pair")
            lines.append(
                f"{pairs} of images of different identities that look alike. Look at them: of one photograph that was saved "
                "anew, delete one, or put both into one identity, since verification and the split take them for two:"
            )
            lines += _capped([" ~ ".join(pair) for pair in self.alike])
        if self.merged:
            groups = _count(len(self.merged), "group")
            lines.append(
                f"{groups} of names that differ only in capitals or in how accents are written, "
                "each taken for one identity:"
            )
            lines += _capped([" = ".join(_capped_names(group)) for group in self.merged])
        if self.nested:
            lines.append(f"{_count(len(self.nested), 'folder')} with images, too deep to be read:")
            lines += _capped(self.nested)
        if self.ignored:
            lines.append(f"ignored: {', '.join(f'{n} {kind}' for kind, n in self.ignored.items())}")
        return [printable(line) for line in lines]

    def _duplicate_lines(self) -> list[str]:
        lines = []
        done = {"keep": " (all kept)", "drop": " (the first of each kept)"}
        for groups, where in (
            (self.duplicates_across, "in several identities"),
            (self.duplicates_within, "within one identity"),
        ):
            if groups:
                count = _count(len(groups), "group")
                lines.append(
                    f"{count} of identical images {where}{done.get(self.on_duplicates, '')}:"
                )
                lines += _capped([" = ".join(_capped_names(group)) for group in groups])
        return lines

    def to_text(self) -> str:
        """The whole report for reading."""
        counts = list(self.counts.values()) or [0]
        least, middle, most = min(counts), statistics.median(counts), max(counts)
        lines = [
            f"{printable(self.source)}: {self.identities:,} identities, {self.images:,} images",
            f"images per identity: {least} min, {middle:g} median, {most} max",
            f"original sizes: {_histogram(self.sizes)}",
            f"original kinds: {_histogram(self.modes)}",
            *self.warnings(),
            *self.problems(),
            "no bad data" if self.clean else "BAD DATA: see above",
        ]
        return "\n".join(lines)

    def to_json(self) -> str:
        """The whole report for programs; no list is capped."""
        counts = list(self.counts.values()) or [0]
        summary = {
            "clean": self.clean,
            "identities": self.identities,
            "images": self.images,
            "images_per_identity": {
                "min": min(counts),
                "median": statistics.median(counts),
                "max": max(counts),
            },
            "short": self.short,
        }
        return json.dumps({**summary, **dataclasses.asdict(self)}, indent=2)


def check_on_bad_data(on_bad_data: str) -> None:
    """Raises a `ValueError` unless this says what to do about bad data."""
    if on_bad_data not in BAD_DATA_CHOICES:
        raise ValueError(
            f"`on_bad_data` must be 'fail' or 'skip'. Received: on_bad_data={on_bad_data!r}"
        )


def check_on_duplicates(on_duplicates: str) -> None:
    """Raises a `ValueError` unless this says what to do about images that are there twice."""
    if on_duplicates not in DUPLICATES_CHOICES:
        raise ValueError(
            "`on_duplicates` must be 'keep', 'drop' or 'fail'. Received: "
            f"on_duplicates={on_duplicates!r}"
        )


def settle(report: Report, on_bad_data: str) -> None:
    """Ends a pass over a data set: raises for what is bad, logs what is skipped or odd.

    Args:
        report: the complete report.
        on_bad_data: `"fail"` or `"skip"`.

    Raises:
        BadData: there are bad data and `on_bad_data` is `"fail"`.
        ValueError: fewer than two identities are left.
    """
    copies = report.torn or (report.duplicates and report.on_duplicates == "fail")
    if copies or (not report.clean and on_bad_data == "fail"):
        raise BadData(report)
    left = sum(count > 0 for count in report.counts.values())
    if left < 2:
        raise ValueError(
            f"{report.source}: at least 2 identities with usable images are needed, {left} are "
            "left:\n" + "\n".join(report.problems())
        )
    for heading, lines in (("skipping", report.problems()), ("note", report.warnings())):
        if lines:
            logging.warning("%s: %s\n%s", report.source, heading, "\n".join(lines))


def listed(lines: list[str]) -> str:
    """A list in one line, capped if it is long."""
    return ", ".join(_capped_names([printable(line) for line in lines], LIST_CAP))


def printable(text: str) -> str:
    """Makes a text with the name of a file in it fit for any terminal: names may hold anything."""
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def _count(number: int, one: str, several: str = "") -> str:
    """`1 image`, `2 images`."""
    return f"{number:,} {one if number == 1 else several or one + 's'}"


def _capped(lines: list[str]) -> list[str]:
    shown = [f"  {line}" for line in lines[:LIST_CAP]]
    more = len(lines) - LIST_CAP
    return shown + ([f"  ... and {more:,} more"] if more > 0 else [])


def _capped_names(names: list[str], cap: int = 4) -> list[str]:
    more = len(names) - cap
    return names[:cap] + ([f"... and {more:,} more"] if more > 0 else [])


def _histogram(counts: dict[str, int]) -> str:
    names = [f"{kind} ({count:,})" for kind, count in counts.items()]
    return ", ".join(_capped_names(names)) or "none"
