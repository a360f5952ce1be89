"""XMP packets are compared by what they say, and only dates, producer and instance may differ."""

import pytest

from verifier.xmp import BadPacket, read_packet

OPEN = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"{toolkit}><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:e="urn:e#" '
    'xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/"{attributes}>'
)
CLOSE = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def packet(body: str = "", attributes: str = "", toolkit: str = "") -> bytes:
    return (OPEN.format(attributes=attributes, toolkit=toolkit) + body + CLOSE).encode()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (packet("<dc:format>a/b</dc:format>"), packet(attributes=' dc:format="a/b"')),
        (packet("<e:uri>urn:x</e:uri>"), packet('<e:uri rdf:resource="urn:x"/>')),
        (
            packet('<e:s rdf:parseType="Resource"><e:a>1</e:a></e:s>'),
            packet('<e:s><rdf:Description e:a="1"/></e:s>'),
        ),
        (packet(), packet("<xmp:ModifyDate>2026-01-01T00:00:00Z</xmp:ModifyDate>")),
        (packet(), packet(attributes=' pdf:Producer="anything at all"')),
        (packet(), packet(toolkit=' x:xmptk="some program"')),
        (packet("<e:b>1</e:b><e:a>2</e:a>"), packet("<e:a>2</e:a>\n<e:b>1</e:b>")),
    ],
)
def test_two_spellings_of_one_statement_are_equal(one: bytes, other: bytes) -> None:
    assert read_packet(one) == read_packet(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<dc:title>1</dc:title>", "<dc:title>2</dc:title>"),
        ("", "<e:serial>2026-9999</e:serial>"),
        ("", "<xmp:ModifyDate>2026-9999 Li Si</xmp:ModifyDate>"),
        ("", "<xmp:CreateDate>2026-01-01</xmp:CreateDate>"),
        ("<e:l><rdf:Bag><rdf:li>1</rdf:li></rdf:Bag></e:l>", "<e:l><rdf:Seq><rdf:li>1</rdf:li></rdf:Seq></e:l>"),
        (
            "<e:l><rdf:Alt><rdf:li xml:lang='a'>1</rdf:li></rdf:Alt></e:l>",
            "<e:l><rdf:Alt><rdf:li xml:lang='b'>1</rdf:li></rdf:Alt></e:l>",
        ),
        ("<e:l><rdf:Bag><rdf:li>1</rdf:li></rdf:Bag></e:l>", "<e:l><rdf:Bag>x<rdf:li>1</rdf:li></rdf:Bag></e:l>"),
        (
            "<pdf:Producer>a</pdf:Producer>",
            "<pdf:Producer><rdf:Bag><rdf:li>Li Si</rdf:li></rdf:Bag></pdf:Producer>",
        ),
    ],
)
def test_another_statement_is_another_packet(one: str, other: str) -> None:
    assert read_packet(packet(one)) != read_packet(packet(other))


def nested(depth: int) -> str:
    return "<e:s><rdf:Description>" * depth + "<e:a>1</e:a>" + "</rdf:Description></e:s>" * depth


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"no xml",
        b"<a/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
        packet("<!-- hidden -->"),
        packet("loose text"),
        packet("<e:a e:b='1'>2</e:a>"),
        packet("<e:a rdf:parseType='Literal'><e:b/></e:a>"),
        packet("<e:a><e:b/><e:c/></e:a>"),
        packet("<e:l><rdf:Bag><e:x/></rdf:Bag></e:l>"),
        packet(toolkit=' x:other="1"'),
        packet(nested(40)),
        packet("<e:l><rdf:Bag><rdf:li>" * 20 + "</rdf:li></rdf:Bag></e:l>" * 20),
        packet("<e:l>" + "<rdf:Bag><rdf:li>" * 40 + "</rdf:li></rdf:Bag>" * 40 + "</e:l>"),
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>',
        b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a/></x:xmpmeta>',
        packet().replace(b"<rdf:RDF", b"words<rdf:RDF"),
        packet().replace(b"<rdf:Description", b"<e:x xmlns:e='urn:e'/><rdf:Description", 1),
        packet("x" * (1 << 20)),
    ],
)
def test_what_is_no_plain_packet_is_refused(content: bytes) -> None:
    with pytest.raises(BadPacket):
        read_packet(content)
