"""Read what bureaus send: workbooks, CSV files, photos."""

from intake.photo_archive import PhotoArchive
from intake.photos import Photo, PhotoRule, check_photo
from intake.records import IntakeResult, read_records

__all__ = ["IntakeResult", "Photo", "PhotoArchive", "PhotoRule", "check_photo", "read_records"]
