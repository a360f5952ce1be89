import io

import pytest
from PIL import Image, ImageCms

from press.colour_profile import srgb_profile


def test_the_profile_is_srgb_to_another_implementation() -> None:
    ours = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    ramp = bytes(value for i in range(256) for value in (i, 255 - i, (i * 7) % 256))
    image = Image.frombytes("RGB", (256, 1), ramp)
    for source, target in ((ours, ImageCms.createProfile("sRGB")), (ImageCms.createProfile("sRGB"), ours)):
        transform = ImageCms.buildTransform(source, target, "RGB", "RGB")
        changed = ImageCms.applyTransform(image, transform)
        assert changed is not None
        assert max(abs(a - b) for a, b in zip(ramp, changed.tobytes(), strict=True)) <= 1


def test_the_profile_is_small_whole_and_always_the_same() -> None:
    profile = srgb_profile()
    assert int.from_bytes(profile[:4]) == len(profile) < 3000
    assert profile[36:40] == b"acsp"
    srgb_profile.cache_clear()
    assert srgb_profile() == profile


def test_the_profile_names_itself() -> None:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))
    assert "sRGB" in ImageCms.getProfileDescription(profile)
    assert profile.profile.xcolor_space.strip() == "RGB"
    assert profile.profile.version == pytest.approx(2.1)
