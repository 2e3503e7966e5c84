import torch

from ml.training import augment as a


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_flip_mirrors_about_half_and_leaves_the_rest():
    images = torch.arange(200, dtype=torch.uint8).repeat(2, 1).T.reshape(200, 1, 1, 2).clone()
    images[:, 0, 0, 1] = 255
    flipped = a.flip(images, generator())
    mirrored = (flipped == images.flip(-1)).all((1, 2, 3))
    assert ((flipped == images).all((1, 2, 3)) | mirrored).all()
    assert 70 < mirrored.sum() < 130


def test_shift_moves_by_at_most_the_given_pixels_and_fills_with_black():
    images = torch.zeros(300, 1, 9, 9, dtype=torch.uint8)
    images[:, 0, 4, 4] = 7
    moved = a.shift(images, generator(), pixels=2)
    rows, columns = moved[:, 0].flatten(1).argmax(1) // 9, moved[:, 0].flatten(1).argmax(1) % 9
    assert moved.sum() == images.sum()
    assert set((rows - 4).tolist()) == set((columns - 4).tolist()) == {-2, -1, 0, 1, 2}


def test_erase_blackens_one_rectangle_in_about_half():
    images = torch.full((200, 3, 20, 20), 9, dtype=torch.uint8)
    erased = a.erase(images, generator())
    assert torch.equal(erased[:, 0] == 0, erased[:, 2] == 0)
    touched = (erased == 0).any(3).any(2).any(1)
    assert 50 < touched.sum() < 130
    for hole in (erased[touched][:, 0] == 0)[:20]:
        rows, columns = hole.any(1), hole.any(0)
        assert torch.equal(hole, rows[:, None] & columns[None, :])
        assert rows.sum() <= 8
        assert columns.sum() <= 8


def test_colour_changes_light_and_balance_within_its_limits_and_leaves_grey_grey():
    images = torch.full((400, 3, 4, 4), 100, dtype=torch.uint8)
    changed = a.colour(images, generator()).float()
    assert (changed == changed[:, :, :1, :1]).all(), "a plain picture stays plain"
    level = changed[:, :, 0, 0]
    assert level.min() >= 100 * 0.7 * 0.9 - 1
    assert level.max() <= 100 * 1.3 * 1.1 + 1
    assert level.std() > 10
    assert (level.max(1).values - level.min(1).values).max() > 10
    ramp = torch.arange(0, 160, 10, dtype=torch.uint8).view(1, 1, 4, 4).repeat(50, 1, 1, 1)
    grey = a.colour(ramp, generator())
    assert grey.shape == ramp.shape
    assert (grey.flatten(1).diff().float() >= 0).all(), "what was lighter stays lighter"
    assert torch.equal(a.colour(ramp, generator(), 0.0), ramp)


def test_pictures_are_averaged_when_they_shrink():
    stripes = torch.tensor([0, 255], dtype=torch.uint8).repeat(8).view(1, 1, 1, 16).repeat(1, 3, 16, 1)
    small = a.smaller(stripes, (4, 4))
    assert small.shape == (1, 3, 4, 4)
    assert (small[:, :, :, 1:3].float() - 127.5).abs().max() < 40
    assert a.smaller(stripes, (16, 16)) is stripes


def test_the_same_seed_gives_the_same_batch():
    images = torch.randint(0, 255, (16, 1, 28, 28), dtype=torch.uint8)
    names = ("flip", "crop", "colour", "shift", "erase")
    assert torch.equal(a.augment(images, names, generator(5)), a.augment(images, names, generator(5)))
    assert torch.equal(a.augment(images, (), generator(5)), images)


def test_crop_shows_a_part_of_the_picture_scaled_to_the_whole():
    """Of a ramp it leaves a ramp: where it begins and ends says which part was cut out."""
    ramp = torch.arange(0, 224, dtype=torch.uint8).repeat(224, 1)
    images = torch.stack([ramp, ramp.T]).repeat(40, 1, 1, 1)
    found = a.crop(images, torch.Generator().manual_seed(0)).float()
    assert found.shape == images.shape
    across, down = found[:, 0, 100, :], found[:, 1, :, 100]
    shares = []
    for line in (across, down):
        steps = line.diff(dim=1)[:, 2:-2]
        assert (steps >= 0).all()
        shares.append((line[:, -3] - line[:, 2]) / 218)
        assert (steps - shares[-1][:, None]).abs().max() <= 1  # even but for rounding
    area = shares[0] * shares[1]
    assert 0.45 < area.min() < 0.65
    assert area.max() <= 1.01
    assert (shares[0] / shares[1]).max() < 1.4
