"""DER (X.690): whether a message has the one encoding of its lengths, and where an element ends."""


def is_canonical_der(message: bytes) -> bool:
    """Whether every length in a DER message is definite and as short as can be.

    A message whose lengths are canonical has exactly one encoding of each
    length, so that no byte of it can be changed without changing its meaning.
    """
    waiting = [(0, len(message))]
    while waiting:
        position, end = waiting.pop()
        while position < end:
            step = read_header(message, position, end)
            if step is None:
                return False
            start, behind = step
            if message[position] & 0x20:  # constructed
                waiting.append((start, behind))
            position = behind
    return True


def read_header(message: bytes, position: int, end: int) -> tuple[int, int] | None:
    """Read tag and length; gives where the content starts and ends, or None for what is not canonical."""
    if message[position] & 0x1F == 0x1F or position + 2 > end:
        return None  # tags of several bytes do not occur in a CMS message
    first = message[position + 1]
    start = position + 2
    if first >= 0x80:
        octets = message[start : start + first - 0x80]
        start += first - 0x80
        length = int.from_bytes(octets, "big")
        if first == 0x80 or start > end or octets[0] == 0 or length < 0x80:
            return None
    else:
        length = first
    return (start, start + length) if start + length <= end else None
