"""The structure tree: what each piece of the page is, in reading order (ISO 32000-1, 14.7).

The tree is whole in the prefix, though half of what it points to is in the tail:
every piece has its marked-content number before anybody knows its text.
"""

from dataclasses import dataclass, field

from press.artwork import ObjectWriter
from press.syntax import reference, references, text_string


@dataclass(slots=True)
class Element:
    """One element of the tree.

    Attributes:
        tag: standard structure type.
        mcid: marked-content number, or None for an element with children.
        alt: alternative text; empty for none.
        attributes: the value of ``/A``; empty for none.
        language: where it is not the document's; empty for none.
        is_field: whether it stands for the signature field's widget.
    """

    tag: str
    mcid: int | None = None
    alt: str = ""
    attributes: bytes = b""
    language: str = ""
    is_field: bool = False
    children: list["Element"] = field(default_factory=list)


class StructureTree:
    """Gives out marked-content numbers in reading order and writes the tree."""

    def __init__(self) -> None:
        self.document = Element("Document")
        self._count = 0

    @property
    def marked_count(self) -> int:
        """How many numbers were given out."""
        return self._count

    def add(
        self, tag: str, parent: Element | None = None, *, alt: str = "", attributes: bytes = b"", language: str = ""
    ) -> int:
        """Add an element with content of its own and give its marked-content number."""
        element = Element(tag, self._count, alt, attributes, language)
        (parent or self.document).children.append(element)
        self._count += 1
        return self._count - 1

    def group(self, tag: str, parent: Element | None = None, *, attributes: bytes = b"", language: str = "") -> Element:
        """Add an element that holds others."""
        element = Element(tag, attributes=attributes, language=language)
        (parent or self.document).children.append(element)
        return element

    def add_field(self, alt: str) -> None:
        """Add the signature field's place."""
        self.document.children.append(Element("Form", alt=alt, is_field=True))

    def write(self, writer: ObjectWriter, page: int, widget: int) -> int:
        """Write all elements and the parent tree; page content is key 0, the widget key 1.

        Returns:
            The number of the structure tree root.
        """
        root = writer.reserve()
        parents: dict[int, int] = {}
        field_parent: list[int] = []

        def put(element: Element, parent: int) -> int:
            index = writer.reserve()
            kids = [reference(put(child, index)) for child in element.children]
            if element.mcid is not None:
                parents[element.mcid] = index
                kids.append(b"%d" % element.mcid)
            if element.is_field:
                field_parent.append(index)
                kids.append(b"<</Type/OBJR/Obj %b/Pg %b>>" % (reference(widget), reference(page)))
            alt = b"/Alt" + text_string(element.alt) if element.alt else b""
            attributes = b"/A" + element.attributes if element.attributes else b""
            language = b"/Lang(%b)" % element.language.encode("ascii") if element.language else b""
            # Only what has content of its own says which page that is on; /Type is optional (table 323).
            place = b"/Pg " + reference(page) if element.mcid is not None else b""
            writer.bodies[index] = b"<</S/%b/P %b%b/K[%b]%b%b%b>>" % (
                *(element.tag.encode("ascii"), reference(parent), place),
                *(b" ".join(kids), alt, attributes, language),
            )
            return index

        document = put(self.document, root)
        marked = writer.add(references(parents[mcid] for mcid in range(self._count)))
        parent_tree = writer.add(b"<</Nums[0 %b 1 %b]>>" % (reference(marked), reference(field_parent[0])))
        writer.bodies[root] = b"<</Type/StructTreeRoot/K[%b]/ParentTree %b/ParentTreeNextKey 2>>" % (
            reference(document),
            reference(parent_tree),
        )
        return root
