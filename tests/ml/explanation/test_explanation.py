"""Explanations of networks so small that the answer is known."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ml.explanation import covering, grad_cam, integrated, occlusion, scale
from ml.explanation.methods import EXPLANATIONS
from ml.explanation.scale import NoConvolution
from ml.models import build


class Sum(nn.Module):
    """Score of class 0: the sum of the left half, unchanged by a 1 × 1 convolution; of class 1: of the right half."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 1, 1, bias=False)
        nn.init.ones_(self.conv.weight)

    def forward(self, images):
        seen = self.conv(images)
        half = images.shape[-1] // 2
        return torch.stack([seen[..., :half].sum((1, 2, 3)), seen[..., half:].sum((1, 2, 3))], dim=1)


@pytest.fixture
def corner():
    """One bright pixel at row 1, column 2 of 8 × 8."""
    picture = torch.zeros(1, 1, 8, 8)
    picture[0, 0, 1, 2] = 1.0
    return picture


def test_grad_cam_weighs_maps_by_mean_gradient(corner):
    # the gradient of class 0 is 1 on the left half, so the map's weight is its mean 0.5: the cam is 0.5 × the picture
    found = EXPLANATIONS["grad-cam"].map(Sum().eval(), corner, 0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, corner[0, 0].numpy(), atol=1e-6)


def test_grad_cam_shows_nothing_where_nothing_speaks_for_the_class(corner):
    found = EXPLANATIONS["grad-cam"].map(Sum().eval(), -corner, 0)
    assert not found.any()


def test_grad_cam_takes_the_last_convolution_and_grows_to_the_picture():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 1, 1, bias=False)
            self.last = nn.Conv2d(1, 1, 4, stride=4, bias=False)
            nn.init.ones_(self.first.weight)
            nn.init.ones_(self.last.weight)

        def forward(self, images):
            return self.last(self.first(images)).flatten(1).sum(1, keepdim=True)

    picture = torch.zeros(1, 1, 8, 8)
    picture[0, 0, :4, :4] = 1  # only the first of four cells of the last layer
    found = EXPLANATIONS["grad-cam"].map(Two().eval(), picture, 0)
    assert found.shape == (8, 8)
    assert found[0, 0] == 1.0
    assert found[7, 7] == 0.0
    assert found[0, 0] > found[0, 4] > found[0, 7]


def test_where_the_last_convolution_is_silent_the_one_before_answers():
    class Mixed(nn.Module):
        """Score: the first of four cells minus the rest, each cell its block's first pixel minus 3 × the second."""

        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 1, 1, bias=False)
            self.last = nn.Conv2d(1, 1, 2, stride=2, bias=False)
            nn.init.ones_(self.first.weight)
            self.last.weight.data = torch.tensor([[[[1.0, -3.0], [0.0, 0.0]]]])

        def forward(self, images):
            cells = self.last(self.first(images)).flatten(1)
            return (2 * cells[:, 0] - cells.sum(1))[:, None]

    picture = torch.zeros(1, 1, 4, 4)
    picture[0, 0, 0, 0] = 1
    # at `last` the mean gradient is −0.5 and the one lit cell 1: nothing positive; at `first` the mean gradient is
    # −0.5 × −0.5 = 0.25 and the lit pixel 1
    np.testing.assert_allclose(
        EXPLANATIONS["grad-cam"].map(Mixed().eval(), picture, 0), picture[0, 0].numpy(), atol=1e-6
    )


def test_a_map_of_one_place_is_no_answer():
    class Squeezed(nn.Module):
        """Score: the mean of the left half, through a convolution over the whole picture."""

        def __init__(self):
            super().__init__()
            self.first = nn.Conv2d(1, 1, 1, bias=False)
            self.whole = nn.Conv2d(1, 1, 8, bias=False)
            nn.init.ones_(self.first.weight)
            self.whole.weight.data = torch.ones(1, 1, 8, 8)
            self.whole.weight.data[..., 4:] = 0

        def forward(self, images):
            return self.whole(self.first(images)).flatten(1)

    picture = torch.zeros(1, 1, 8, 8)
    picture[0, 0, 2, 3] = 1
    found = EXPLANATIONS["grad-cam"].map(Squeezed().eval(), picture, 0)
    np.testing.assert_allclose(found, picture[0, 0].numpy(), atol=1e-6)


def test_grad_cam_needs_a_convolution():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(64, 2)).eval()
    with pytest.raises(NoConvolution):
        EXPLANATIONS["grad-cam"].map(flat, torch.zeros(1, 1, 8, 8), 0)


def test_gradients_are_the_steepest_channel_of_the_score():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(2 * 2 * 2, 1, bias=False)).eval()
    with torch.no_grad():
        linear[1].weight[:] = torch.tensor([[1.0, -4.0, 0.0, 2.0, 2.0, 1.0, 0.0, -1.0]])
    found = EXPLANATIONS["gradients"].map(linear, torch.rand(1, 2, 2, 2), 0)
    # largest absolute weight of the two channels: 2 4 / 0 2, divided by 4
    np.testing.assert_allclose(found, [[0.5, 1.0], [0.0, 0.5]], atol=1e-6)


NETWORKS = [
    ("compact_cnn", "body.6", 1, 28, 28), ("small_resnet", "body.9", 1, 28, 28),
    ("resnet18", "body.layer4_1", 1, 9, 7),
    ("mobilenet_v3_small", "body.conv_12", 3, 64, 48), ("small_vgg", "body.17", 1, 20, 16),
    ("batchnorm_cnn", "body.10", 1, 28, 28), ("quick_cnn", "body.4", 1, 28, 28), ("fashion_cnn", "body.8", 1, 28, 28),
    ("efficientnet_lite0", "body.last_conv", 1, 7, 5), ("patch_cnn", "body.3", 3, 20, 16),
    ("wide_resnet", "body.7", 1, 28, 28),
]  # fmt: skip


@pytest.fixture
def short_way(monkeypatch):
    """Fewer steps from dark to picture, still in more than one pass, the last of them shorter."""
    monkeypatch.setattr(integrated, "INTEGRATION_STEPS", 12)
    monkeypatch.setattr(integrated, "INTERPOLATIONS_PER_PASS", 17)


@pytest.mark.usefixtures("short_way")
@pytest.mark.parametrize(("name", "_layer", "channels", "height", "width"), NETWORKS)
def test_the_other_ways_say_what_captum_says(name, _layer, channels, height, width):
    from captum.attr import IntegratedGradients, Occlusion, Saliency

    torch.manual_seed(2)
    module = build(name, channels=channels, height=height, width=width, classes=5).eval()
    pictures, targets = torch.rand(2, channels, height, width), torch.tensor([4, 2])
    ground = pictures.amin(dim=(1, 2, 3), keepdim=True).expand_as(pictures)
    slopes = Saliency(module).attribute(pictures.clone().requires_grad_(), target=targets).amax(1)
    found = EXPLANATIONS["gradients"].raw(module, pictures, targets, "")
    torch.testing.assert_close(found, slopes, atol=1e-6, rtol=1e-4)
    paths = IntegratedGradients(module).attribute(
        pictures, baselines=ground, target=targets, n_steps=integrated.INTEGRATION_STEPS
    )
    found = EXPLANATIONS["integrated"].raw(module, pictures, targets, "")
    # a step of the path that lies on a kink of ReLU6 falls to one side or the other by the order of the sums
    torch.testing.assert_close(found, paths.sum(1).detach().float(), atol=1e-4, rtol=1e-3)
    patch = (channels, max(1, round(height / 7)), max(1, round(width / 7)))
    step = (channels, max(1, patch[1] // 2), max(1, patch[2] // 2))
    if any((whole - part) % pace for whole, part, pace in zip((height, width), patch[1:], step[1:], strict=True)):
        return  # captum cuts its last window, and counts it like a whole one
    with torch.no_grad():
        falls = Occlusion(lambda images: module(images).softmax(1)).attribute(
            pictures, sliding_window_shapes=patch, strides=step, baselines=ground, target=targets,
            perturbations_per_eval=32,
        )  # fmt: skip
    found = EXPLANATIONS["occlusion"].raw(module, pictures, targets, "")
    torch.testing.assert_close(found, falls.mean(1).float(), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize("size", [(28, 28), (30, 22), (8, 96), (5, 3), (64, 48), (29, 31)])
def test_what_speaks_alike_everywhere_is_lit_alike_up_to_the_edge(size):
    class Sum(nn.Module):
        def forward(self, images):
            total = 3 * images.mean(dim=(1, 2, 3))
            return torch.stack([total, torch.zeros_like(total)], dim=1)

    picture = torch.ones(1, 1, *size)
    picture[0, 0, 0, 0] = 0  # the ground
    found = EXPLANATIONS["occlusion"].raw(Sum(), picture, torch.tensor([0]), "")[0]
    assert found.shape == size
    rest = torch.ones(size, dtype=torch.bool)
    rest[: max(1, round(size[0] / 7)), : max(1, round(size[1] / 7))] = False  # the patch that hides a pixel less
    assert found[rest].min() > 0
    torch.testing.assert_close(found[rest], found[-1, -1].expand(int(rest.sum())), atol=1e-6, rtol=1e-4)


@pytest.mark.parametrize(("name", "layer", "channels", "height", "width"), NETWORKS)
def test_grad_cam_is_captums_own(name, layer, channels, height, width):
    from captum.attr import LayerAttribution, LayerGradCam

    torch.manual_seed(0)
    module = build(name, channels=channels, height=height, width=width, classes=5).eval()
    pictures, targets = torch.rand(3, channels, height, width), torch.tensor([4, 0, 2])
    assert grad_cam.candidates(module)[-1] == layer
    cam = LayerGradCam(module, module.get_submodule(layer))
    coarse = cam.attribute(pictures, target=targets, relu_attributions=True)
    wanted = LayerAttribution.interpolate(coarse, (height, width), interpolate_mode="bilinear")[:, 0]
    found = EXPLANATIONS["grad-cam"].raw(module, pictures, targets, layer)
    torch.testing.assert_close(found, wanted, atol=1e-6, rtol=0)
    lit = wanted.amax((1, 2)) > 0
    own = EXPLANATIONS["grad-cam"].raw(module, pictures, targets, "")
    torch.testing.assert_close(own[lit], wanted[lit], atol=1e-6, rtol=0)


def test_attention_is_explained_where_its_words_lie():
    torch.manual_seed(0)
    module = build("small_vit", channels=1, height=28, width=20, classes=4).eval()
    picture, target = torch.rand(1, 1, 28, 20), torch.tensor([3])
    assert grad_cam.candidates(module)[-1] == "body.block_3"
    found = EXPLANATIONS["grad-cam"].raw(module, picture, target, "body.block_2")[0]
    # by hand: the words after that block, each channel weighted by its mean slope over the patches
    words = module.body[:-3](picture).detach().requires_grad_()
    (slopes,) = torch.autograd.grad(module.head(module.body[-3:](words))[0, 3], words)
    coarse = (words[0, 1:] * slopes[0, 1:].mean(0)).sum(1).relu().reshape(7, 7)
    # it pads 28 × 20 to 28 × 28 at the right
    wanted = torch.nn.functional.interpolate(coarse[None, None], (28, 28), mode="bilinear")[0, 0, :, :20]
    torch.testing.assert_close(found, wanted.detach(), atol=1e-6, rtol=0)
    last = EXPLANATIONS["grad-cam"].raw(module, picture, target, "body.block_3")
    assert not last.any(), "after the last block only the first word is read"


def test_a_layer_without_maps_is_refused():
    module = build("compact_cnn", channels=1, height=28, width=28, classes=4).eval()
    with pytest.raises(ValueError, match="makes no maps"):
        EXPLANATIONS["grad-cam"].raw(module, torch.rand(1, 1, 28, 28), torch.tensor([0]), "body.10")


def test_integrated_gradients_add_up_to_what_the_picture_adds():
    torch.manual_seed(0)
    module = build("small_resnet", channels=1, height=28, width=28, classes=4).eval()
    picture = torch.rand(1, 1, 28, 28)
    found = EXPLANATIONS["integrated"].raw(module, picture, torch.tensor([2]), "")
    with torch.no_grad():
        grown = module(picture)[0, 2] - module(torch.full_like(picture, float(picture.min())))[0, 2]
    assert float(found.sum()) == pytest.approx(float(grown), rel=0.05)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4, 1)).eval()
    image = torch.tensor([[[[1.0, 2.0], [3.0, 5.0]]]])
    told = EXPLANATIONS["integrated"].raw(linear, image, torch.tensor([0]), "")[0]
    # of a linear score: weight × (pixel − darkest)
    torch.testing.assert_close(told, linear[1].weight.detach().reshape(2, 2) * (image[0, 0] - 1))


@pytest.mark.parametrize("way", EXPLANATIONS)
def test_many_pictures_at_once_are_as_one_by_one(way):
    torch.manual_seed(1)
    module = build("fashion_cnn", channels=1, height=28, width=28, classes=4).eval()
    pictures, targets = torch.rand(5, 1, 28, 28), torch.tensor([0, 1, 2, 3, 0])
    together = EXPLANATIONS[way].raw(module, pictures, targets, "")
    every = zip(pictures, targets, strict=True)
    alone = torch.cat([EXPLANATIONS[way].raw(module, one[None], target[None], "") for one, target in every])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_occlusion_lights_what_the_probability_needs(corner):
    found = EXPLANATIONS["occlusion"].map(Sum().eval(), corner * 5, 0)
    assert found[1, 2] == 1.0
    assert np.count_nonzero(found) == 1, "patches are single pixels here"


@pytest.mark.usefixtures("short_way")
@pytest.mark.parametrize("way", EXPLANATIONS)
@pytest.mark.parametrize(
    ("name", "channels", "height", "width"),
    [
        ("compact_cnn", 1, 28, 28), ("compact_cnn", 3, 40, 32), ("small_resnet", 1, 28, 28), ("resnet18", 1, 9, 7),
        ("mobilenet_v3_small", 3, 20, 16), ("small_vgg", 1, 20, 16), ("small_vit", 1, 28, 20),
        ("efficientnet_lite0", 1, 7, 5),
    ],
)  # fmt: skip
def test_every_explanation_answers_any_shape_and_leaves_the_network_as_it_was(way, name, channels, height, width):
    torch.manual_seed(0)
    module = build(name, channels=channels, height=height, width=width, classes=13).eval()
    picture = torch.rand(1, channels, height, width)
    before = module(picture).detach()
    found = EXPLANATIONS[way].map(module, picture, 12)
    assert found.shape == (height, width)
    assert found.dtype == np.float32
    assert 0 <= found.min() <= found.max() <= 1
    assert not module.training
    assert all(p.grad is None for p in module.parameters())
    torch.testing.assert_close(module(picture).detach(), before)


@pytest.mark.parametrize("size", [(28, 28), (29, 31), (7, 7), (5, 64), (3, 2), (50, 33)])
def test_a_network_that_minds_every_place_alike_is_explained_by_equal_numbers(size):
    """By its gradients' network and by its answers alone, in pictures that seven patches do not divide."""
    height, width = size
    lit = np.full((1, height, width, 1), 200, np.uint8)
    lit[0, 0, 0] = 0  # the ground that patches are filled with

    class Dark(nn.Module):
        """Two classes, whose odds count the dark pixels."""

        def forward(self, images):
            dark = (images < 0.5).sum((1, 2, 3)).float() / 100
            return torch.stack([-dark, dark], dim=1)

    def ask(images):
        assert images.dtype == np.uint8
        pictures = torch.from_numpy(images / 255).permute(0, 3, 1, 2)
        return Dark()(pictures).softmax(1).numpy()

    found = covering.covered(ask, lit[0])
    inside = np.s_[math.ceil(height / 7) + 1 :, math.ceil(width / 7) + 1 :]  # no patch with the dark corner in it
    for target in (0, 1):
        map = found.map(target)
        assert map.shape == size
        np.testing.assert_allclose(map[inside], map[-1, -1], rtol=1e-5)
        raw = EXPLANATIONS["occlusion"].raw(
            Dark(), torch.from_numpy(lit / 255).permute(0, 3, 1, 2).float(), torch.tensor([target])
        )
        np.testing.assert_allclose(map, raw[0].numpy(), atol=1e-6)
    assert found.map(0)[-1, -1] > 0
    assert found.map(1)[-1, -1] < 0


def test_answers_alone_are_asked_for_few_pictures_at_a_time_and_the_picture_stays():
    asked, picture = [], np.arange(28 * 28 * 3, dtype=np.uint8).reshape(28, 28, 3)
    before = picture.copy()

    def ask(images):
        asked.append(len(images))
        return np.ones((len(images), 2), np.float32) / 2

    found = covering.covered(ask, picture)
    np.testing.assert_array_equal(picture, before)
    assert max(asked) <= covering.PER_PASS
    assert sum(asked) == 1 + len(covering.patches(28, 28)[2]) == 1 + 13 * 13
    assert not found.map(0).any()


def photograph(seed=0):
    """float32 [1, 3, 96, 112], and a network of photographs' size that sees all of it."""
    torch.manual_seed(seed)
    module = build("quick_cnn", channels=3, height=96, width=112, classes=4).eval()
    return module, torch.rand(1, 3, 96, 112)


@pytest.mark.parametrize("method", [integrated, occlusion], ids=["integrated", "occlusion"])
def test_several_classes_share_the_work_and_get_what_they_get_alone(method):
    for size, module in (((96, 112), photograph()[0]), ((20, 16), None)):
        torch.manual_seed(1)
        module = module or build("quick_cnn", channels=3, height=20, width=16, classes=4).eval()
        pictures = torch.rand(2, 3, *size)
        both = torch.tensor([[3, 1], [0, 2]])
        found = method.several(module, pictures, both)
        assert found.shape == (2, 2, *size)
        for classes, maps in zip(both, found, strict=True):
            torch.testing.assert_close(maps, method.raw(module, pictures, classes), atol=1e-5, rtol=1e-4)


def test_a_photograph_takes_fewer_answers(monkeypatch):
    module, picture = photograph()
    asked = []
    module.register_forward_hook(lambda _, given, __: asked.append(len(given[0])))
    integrated.raw(module, picture, torch.tensor([1]))
    assert sum(asked) == integrated.PHOTO_STEPS
    asked.clear()
    EXPLANATIONS["occlusion"].raw(module, picture, torch.tensor([1]), "")
    assert sum(asked) == 1 + 49
    assert max(asked) <= scale.at_once(64, 96, 112) == 200_000 // (96 * 112)
    assert scale.at_once(64, 28, 28) == 64


def test_photographs_are_covered_with_their_mean_colour_by_whoever_covers_them():
    module, _ = photograph()
    image = np.random.default_rng(0).integers(0, 256, (96, 112, 3)).astype(np.uint8)
    image[:40] //= 4

    def inputs(images):
        return torch.from_numpy(images.astype(np.float32) / 255).permute(0, 3, 1, 2)

    seen = []

    def ask(images):
        seen.append(images)
        with torch.no_grad():
            return module(inputs(images)).softmax(1).numpy()

    found = covering.covered(ask, image)
    tall, wide, places = covering.patches(96, 112)
    assert (tall, wide, len(places)) == (24, 28, 49)
    assert (np.concatenate(seen)[1, :tall, wide // 2 : wide] == np.rint(image.mean((0, 1)))).all()
    raw = EXPLANATIONS["occlusion"].raw(module, inputs(image[None]), torch.tensor([2]), "")
    np.testing.assert_allclose(found.map(2), raw[0].numpy(), atol=2e-5)


def test_maps_of_photographs_are_smoothed_and_keep_their_sum():
    point = np.zeros((96, 192), np.float32)
    point[48, 96] = 1
    found = scale.smoothed(point)
    assert found.sum() == pytest.approx(1, abs=1e-4)
    assert found[48, 97] / found[48, 96] == pytest.approx(math.exp(-0.5), rel=1e-3)  # a deviation of one pixel
    small = point[:28, :28]
    assert scale.smoothed(small) is small
