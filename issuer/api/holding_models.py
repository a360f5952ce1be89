"""What the issuing API answers when certificates are handed over; shown once, kept nowhere."""

from datetime import date

from pydantic import BaseModel, Field


class ClaimCode(BaseModel):
    """A new claim code of one certificate; shown this once, and the one before opens nothing any more."""

    serial: str = Field(description="证书编号。", examples=["33020020260120000017"])
    code: str = Field(description="领取码, 只显示一次。 As the holder types it.", examples=["7Q4M-2KX9-0TFC"])
    until: date = Field(description="Last day, Beijing time. 有效期至。")
    page: str = Field(description="Where it is typed in. 领取页面。", examples=["https://zs.example.gov.cn/claim"])


class HandOverLine(ClaimCode):
    """One line of a hand-over sheet (领取单)."""

    row: int = Field(description="Row in the sheet.", examples=[2])
    name: str = Field(description="Masked. 姓名(已遮盖)。", examples=["张**"])


class HandOver(BaseModel):
    """New claim codes for every good certificate of a batch."""

    items: list[HandOverLine]
