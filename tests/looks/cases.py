"""Twenty invented certificates a template: what bureaus send every day, and the edges of what they may send.

Each begins from one of the template's own samples and says what is different.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from credential.model import DocumentType, PartialDate
from credential.schema import PARAGRAPH_MARK
from press.samples import Sample

_LONGEST_NAME = "古丽巴哈尔·阿卜杜热合曼·买买提艾力·吐尔逊江·努尔麦麦提·阿布都克热木·艾尔肯江·玉素甫喀迪尔阿吉"


@dataclass(frozen=True, slots=True)
class Case:
    """One certificate.

    Attributes:
        like: the sample it begins from.
        name, document, issued_on: in place of the sample's.
        fields: likewise; a field without a value is left out.
        has_photo: False for the layout without.
    """

    like: str
    name: str = ""
    document: tuple[DocumentType, str] | None = None
    issued_on: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    has_photo: bool = True

    def sample(self, samples: Mapping[str, Sample]) -> Sample:
        """Make the certificate from the template's samples."""
        given = samples[self.like]
        holder = given.record.holder
        if self.name:
            holder = replace(holder, name=self.name)
        if self.document:
            holder = replace(holder, id_type=self.document[0], id_number=self.document[1])
        changed = {key: value.replace("\n", PARAGRAPH_MARK) for key, value in self.fields.items()}
        fields = {key: value for key, value in {**given.record.fields, **changed}.items() if value}
        photo = given.record.photo if self.has_photo else None
        claims = replace(given.claims, holder=holder, fields=fields)
        if self.issued_on:
            claims = replace(claims, issued_on=PartialDate(self.issued_on))
        return replace(given, record=replace(given.record, holder=holder, fields=fields, photo=photo), claims=claims)


TITLES: Mapping[str, Case] = {
    "ordinary": Case("ordinary"),
    "shortest": Case("shortest"),
    "longest": Case("longest"),
    "rare": Case("rare"),
    "minority": Case("minority"),
    "no-photo": Case("no-photo"),
    "no-photo-longest": Case("longest", has_photo=False),
    "no-photo-shortest": Case("shortest", has_photo=False, fields={"obtain_mode": "初定"}),
    "confirmed": Case("ordinary", name="司徒志远", fields={"obtain_mode": "确认", "qualified_on": "2025-12"}),
    "examined": Case(
        "ordinary", name="诸葛承业", issued_on="2026-10-10", fields={"obtain_mode": "考试", "level": "中级"}
    ),
    "exchanged": Case(  # a statement of two lines
        "minority",
        name="欧阳慧敏",
        fields={"original_number": "示例回族自治区职称改革办公室高级第（1994）0001234号", "qualified_on": "1994-08-01"},
    ),
    "foreign": Case("ordinary", name="Anne-Marie O’Connor", document=(DocumentType.PASSPORT, "PA1234567")),
    "full-size-name": Case("ordinary", name="阿依努尔·买买提江·吐", issued_on="2026-11-20"),
    "shrunk": Case(
        "ordinary",
        name="阿卜杜热合曼·买买提艾力·吐尔逊",
        fields={"specialty": "农业机械化与设施农业工程管理", "title": "农业技术推广研究员兼兽医师"},
    ),
    "two-lines": Case(
        "ordinary",
        name="阿卜杜热合曼·买买提艾力·吐尔逊江·努尔麦麦提",
        fields={"committee": "示例自治区农业机械化与设施农业工程专业高级职称评审委员会"},
    ),
    "brackets": Case(
        "ordinary",
        fields={
            "specialty": "设计（汽车、船舶）（数控）",
            "approval_document": "示人社发〔2026〕18号（附件）、〔2025〕7号",
        },
    ),
    "squeezed": Case(
        "ordinary",
        fields={"specialty": "机械（汽车）、仪表（光学）", "committee": "示例市（工程、农业）评委会（第二组）"},
    ),
    "western-letters": Case(
        "ordinary", fields={"specialty": "IT与AI工程（5G、Wi-Fi 6）", "committee": "示例市ICT评审委员会No.2"}
    ),
    "year-only": Case("rare", name="徐㼆", issued_on="2000-01-01", fields={"qualified_on": "1999"}),
    "longest-dense": Case(  # as many characters as allowed, none of them narrow
        "longest",
        name="露" * 50,
        fields={"specialty": "疆" * 30, "committee": "疆" * 60, "approval_document": "疆" * 40},
    ),
}

_UNITS = (
    "一、风险辨识：方法、步骤；二、作业许可（动火、登高、受限空间）；三、“两票三制”；四、《应急预案》的编制与演练。"
)

TRAININGS: Mapping[str, Case] = {
    "ordinary": Case("ordinary"),
    "shortest": Case("shortest"),
    "longest": Case("longest"),
    "rare": Case("rare"),
    "foreign": Case("foreign"),
    "good": Case("ordinary", name="司徒志远", fields={"result": "良好", "hours": "7.5"}),
    "passed": Case("ordinary", name="诸葛承业", issued_on="2026-11-20", fields={"result": "合格", "hours": "120"}),
    "chinese-only": Case(
        "ordinary", fields={"name_en": "", "course_en": "", "content_en": "", "instructor": "", "director": ""}
    ),
    "one-paragraph": Case("ordinary", fields={"content": _UNITS, "content_en": "Risks, permits, drills."}),
    "many-paragraphs": Case(
        "ordinary", fields={"content": "\n".join([_UNITS] * 4), "content_en": "\n".join(["Risks, permits."] * 12)}
    ),
    "book-title": Case("ordinary", fields={"course": "《安全生产法》（2021年修正）、《消防法》解读"}),
    "quotes": Case(
        "ordinary",
        fields={"course": "“双碳”与“零废弃”管理", "course_en": "The “Dual Carbon” Goals: O’Neill’s Approach"},
    ),
    "alone": Case("ordinary", fields={"content": "抄纸、晒纸；写样、上版、雕刻、刷印；装订、修补、保存古籍善本"}),
    "long-course": Case(
        "ordinary", fields={"course": "农业机械化与设施农业工程及农业水土资源高效利用与信息化管理技术高级研修"}
    ),
    "long-teacher": Case(
        "ordinary", fields={"instructor": "欧阳慧敏教授、司徒志远高级工程师", "director": "诸葛承业　培训中心主任"}
    ),
    "months": Case("ordinary", fields={"started_on": "2025-09", "ended_on": "2026-06"}),
    "years": Case("ordinary", name="徐㼆", issued_on="2000-01-01", fields={"started_on": "1998", "ended_on": "1999"}),
    "separators": Case("ordinary", name="阿依努尔·买买提江", fields={"name_en": "Aynur Mamatjan"}),
    "two-line-name": Case("ordinary", name=_LONGEST_NAME),
    "longest-dense": Case(
        "longest",
        name="露" * 50,
        fields={"course": "疆" * 60, "content": "疆" * 800, "instructor": "疆" * 40, "director": "疆" * 40},
    ),
}

CASES: Mapping[str, Mapping[str, Case]] = {"professional-title": TITLES, "training": TRAININGS}
