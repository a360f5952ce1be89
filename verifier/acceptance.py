"""What a client would rather have, by its Accept header (RFC 9110, 12.5.1)."""

from collections.abc import Iterable, Mapping, Sequence


def accepted_weights(headers: Iterable[str], kinds: Mapping[str, Sequence[str]]) -> dict[str, float]:
    """Weigh what could be given by what a client accepts.

    Args:
        headers: the Accept headers of one request; not trusted. No header at all is the caller's to judge.
        kinds: by name of what could be given, its media types in lower case.

    Returns:
        For each name a weight from 0 (not accepted) to 1; of several ranges
        that fit, the most specific counts.
    """
    found = dict.fromkeys(kinds, (0, 0.0))
    for entry in ",".join(headers).split(","):
        media_range, *parameters = (part.strip().lower() for part in entry.split(";"))
        for name, types in kinds.items():
            precision = max(_precision(media_range, media_type) for media_type in types)
            if precision > found[name][0]:
                found[name] = (precision, _quality(parameters))
    return {name: weight for name, (_, weight) in found.items()}


def _precision(media_range: str, media_type: str) -> int:
    ranges = ("*/*", f"{media_type.partition('/')[0]}/*", media_type)
    return ranges.index(media_range) + 1 if media_range in ranges else 0


def _quality(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return min(max(float(value), 0.0), 1.0)
            except ValueError:
                return 0.0
    return 1.0
