"""What the issuing API takes and gives, with a sentence, a unit and an example each."""

from datetime import date, datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

MAX_ID = 2**31 - 1
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"

Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200, pattern=_NO_CONTROLS)]
"""A line of text without control characters."""


class Sent(BaseModel):
    """A body that callers send; unknown fields are refused, since they are mostly misspelt."""

    model_config = ConfigDict(extra="forbid")


FieldKey = Annotated[str, StringConstraints(max_length=64, pattern=r"^[a-z][a-z0-9_]*$")]
FieldText = Annotated[str, StringConstraints(max_length=4000)]
Photo = Annotated[
    Annotated[str, StringConstraints(max_length=2_000_000, pattern=r"^[A-Za-z0-9+/=\s]*$")],
    Field(description="JPEG in base64; empty for none."),
]


class Problem(BaseModel):
    """An error, RFC 9457; ``code`` is stable, the sentences are for people."""

    type: str = Field(
        description="Name of this kind of problem: a URN that ends in the code.",
        examples=["urn:yinzheng:problem:same-person"],
    )
    title: str = Field(description="The code in words.", examples=["Same person"])
    status: int = Field(description="HTTP status.", examples=[403])
    detail: str = Field(description="The sentence in English, with the cure.")
    code: str = Field(description="Stable; for programs.", examples=["same-person"])
    zh: str = Field(description="中文说明及处理办法。", examples=["wang 是经办人,须由他人复核"])
    en: str = Field(description="The same as ``detail``.")


class Me(BaseModel):
    """Who a token stands for."""

    token: str = Field(description="ID of the token; no secret.", examples=["mzxw6ytb"])
    issuer: str = Field(description="ID of the issuer. 发证机构代号。", examples=["nb"])
    issuer_name: str = Field(description="Its name, as printed.", examples=["示例市人力资源和社会保障局"])
    person: str = Field(description="ID of the person. 人员代号。", examples=["wang"])
    person_name: str = Field(description="Their name.", examples=["王经办"])
    scopes: list[str] = Field(description="What the token may do. 权限。", examples=[["read", "submit"]])
    expires_at: datetime = Field(description="UTC.", examples=["2027-02-20T08:00:00Z"])


class RowProblem(BaseModel):
    """What is wrong with one row, or one cell, of a sheet."""

    sheet: str = Field(description="Name of the sheet; empty for CSV.", examples=["Sheet1"])
    row: int = Field(description="As the spreadsheet program shows it, from 1; 0 for the whole file.", examples=[7])
    column: str = Field(description="Letter of the column; empty for the whole row.", examples=["C"])
    field: str = Field(description="The printed heading. 栏目。", examples=["身份证号"])
    outcome: Literal["error", "warning", "skipped"] = Field(
        description="error: the row is refused; warning: accepted, look at it; skipped: no certificate comes of it."
    )
    code: str = Field(description="Stable.", examples=["id-number-check-digit"])
    zh: str = Field(description="原因与处理办法; 可能含有表中内容。")
    en: str = Field(description="Cause and cure; may quote the sheet.")


class Report(BaseModel):
    """What a check found; nothing is stored."""

    sheet: str = Field(description="Name of the sheet that was read; empty for CSV.", examples=["Sheet1"])
    shape: str = Field(description="Form of the sheet: review 评审, exchange 换发.", examples=["review"])
    rows: int = Field(description="Data rows.", examples=[120])
    accepted: int = Field(description="Rows that may be issued.", examples=[118])
    problem_count: int = Field(description="Problems in all; more than are listed when the list is cut.", examples=[2])
    problems: list[RowProblem] = Field(description="By row, as many as were asked for.")


class Batch(BaseModel):
    """A batch, and how far its work has come."""

    id: int = Field(description="Number of the batch. 批次号。", examples=[7])
    digest: str = Field(
        description="What approval binds; name it when you approve. 复核时须提交。", examples=["9f86d081884c7d65"]
    )
    issuer: str = Field(examples=["nb"])
    state: Literal["submitted", "approved", "cancelled"] = Field(description="待复核, 已复核, 已取消。")
    maker: str = Field(description="Who submitted it. 经办人。", examples=["wang"])
    checker: str | None = Field(description="Who approved it. 复核人。", examples=["li"])
    submitted_at: datetime
    approved_at: datetime | None
    rows: int = Field(description="Rows in the batch; those refused at intake are not among them.", examples=[118])
    to_issue: int = Field(description="Rows with a number: what is done when `issued` reaches it.", examples=[118])
    issued: int = Field(description="Certificates signed and stored. 已出证。", examples=[40])
    refused: int = Field(description="Rows that approval refused: a live certificate exists. 已有有效证书。")
    void: int = Field(description="Numbers that will never be used. 作废编号。")
    is_finished: bool = Field(description="Nothing is left to do.")
    is_new: bool = Field(description="False in the answer to the same sheet submitted again.")
    trouble: Problem | None = Field(description="Why the work rests; null while all is well.")


class BatchPage(BaseModel):
    """Batches, newest first."""

    items: list[Batch]
    next_before: int | None = Field(description="Give it as `before` for the next page; null on the last.")


class Row(BaseModel):
    """One row as it will be, or was, issued; for the person who approves it. Holds personal data."""

    row: int = Field(description="Row in the sheet.", examples=[2])
    name: str = Field(description="姓名。", examples=["张三"])
    id_type: str = Field(description="GB/T 36903: 111 公民身份号码.", examples=["111"])
    id_number: str = Field(examples=["330299198001010019"])
    sex: str = Field(examples=["男"])
    fields: dict[str, str] = Field(description="By field of the template.", examples=[{"title": "农艺师"}])
    has_photo: bool
    serial: str | None = Field(description="Null until the batch is approved.", examples=["33020020260120000017"])


class RowPage(BaseModel):
    """Rows by number."""

    items: list[Row]
    next_after: int | None = Field(description="Give it as `after` for the next page; null on the last.")


class ProblemPage(BaseModel):
    """Why rows have no certificate."""

    items: list[RowProblem]
    next_after: int | None = Field(description="Give it as `after` for the next page; null on the last.")


class Approval(Sent):
    """The second person's word."""

    digest: str = Field(
        description="Digest of the batch as it was shown to the approver; 16 characters at least.",
        pattern=r"^[0-9a-f]{16,64}$",
        examples=["9f86d081884c7d65"],
    )


class Cancellation(Sent):
    """Why a batch is cancelled."""

    reason: Annotated[Text, StringConstraints(min_length=1)] = Field(
        description="Kept with the batch; write no personal data. 取消原因。", examples=["名单有误, 重新报送"]
    )


class SingleIssue(Sent):
    """One certificate; it becomes a batch of one that another person approves."""

    template: str = Field(
        default="", max_length=64, pattern=r"^[a-z0-9-]*$", description="Empty takes the issuer's own."
    )
    record: dict[FieldKey, FieldText] = Field(
        description="Value by field key of the template, checked as a row of a sheet is. 与表格中一行同样核对。",
        examples=[
            {
                "name": "张三",
                "sex": "男",
                "id_number": "330299198001010019",
                "series": "农业技术人员",
                "specialty": "园艺",
                "title": "农艺师",
                "level": "中级",
                "committee": "示例市农业专业中级职务任职资格评审委员会",
                "approval_document": "示市人社发〔2026〕19号",
                "qualified_on": "2026-01-13",
                "obtain_mode": "评审",
            }
        ],
        min_length=1,
        max_length=60,
    )
    photo: Photo = ""


class HolderShown(BaseModel):
    """Whose certificate it is; the ID number is masked."""

    name: str = Field(examples=["张三"])
    id_type: str = Field(examples=["111"])
    id_number: str = Field(description="Masked.", examples=["33****************"])


class Credential(BaseModel):
    """A certificate as the issuing side sees it."""

    serial: str = Field(description="证书编号。", examples=["33020020260120000017"])
    version: int = Field(description="1, and 1 more for each correction.", examples=[1])
    kind: str = Field(examples=["professional-title"])
    state: str = Field(description="01 有效, 02 暂扣, 03 撤销, 04 注销, 05 失效, 07 吊销, 99.", examples=["01"])
    state_zh: str = Field(examples=["有效"])
    state_en: str = Field(examples=["valid"])
    is_superseded: bool = Field(description="A corrected or higher certificate took its place.")
    batch: int = Field(examples=[7])
    row: int = Field(examples=[2])
    issued_at: datetime
    digest: str | None = Field(description="SHA-256 of the PDF, hex; null while it is not printed.")
    holder: HolderShown | None = Field(description="Null after the person's data were erased.")
    fields: dict[str, str] = Field(description="By field of the template; empty after erasure.")


class CredentialList(BaseModel):
    """Certificates, newest first."""

    items: list[Credential]
    is_complete: bool = Field(description="False when there are more than are listed; name the person more closely.")


class Search(Sent):
    """What to look for: exactly one of serial, name, ID number. Nothing is matched in part."""

    serial: str | None = Field(default=None, min_length=1, max_length=64, pattern=r"^[!-~]+$")
    name: Annotated[Text, StringConstraints(min_length=1)] | None = Field(default=None, examples=["张三"])
    id_number: str | None = Field(default=None, min_length=1, max_length=40, pattern=r"^[!-~]+$")
    id_type: Literal["111", "414", "516", "511", "999"] = Field(default="111", description="Kind of `id_number`.")


class HistoryEntry(BaseModel):
    """One thing that happened to a certificate."""

    sequence: int = Field(description="Place in the installation's history.", examples=[12])
    kind: str = Field(examples=["state-changed"])
    state: str | None = Field(description="State it came into.", examples=["03"])
    reason: str = Field(examples=["fraud"])
    decision: str | None = Field(description="Number of the decision document; null where there is none, or erased.")
    effective_on: date | None = Field(description="Day it counts from, Beijing time.")
    recorded_at: datetime
    maker: str = Field(examples=["wang"])
    checker: str | None = Field(examples=["li"])


class History(BaseModel):
    """What happened to a certificate, oldest first; nothing in it is ever edited."""

    serial: str
    items: list[HistoryEntry]
