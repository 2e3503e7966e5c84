import pytest
import torch
from torch import nn

from ml.data import synthetic
from ml.inference.classifier import folded
from ml.models import ABOUT, MODELS, PRETRAINED, build, parameter_count
from ml.models.input_adapter import MEAN, STD, InputAdapter
from ml.training.config import TrainConfig
from ml.training.loop import fit

FASHION = {"channels": 1, "height": 28, "width": 28, "classes": 10}
WIDE = {"channels": 3, "height": 40, "width": 32, "classes": 13}
COUNTS = {
    "fashion_cnn": 896_906, "compact_cnn": 38_154, "batchnorm_cnn": 241_770, "mlp": 352_010, "resnet18": 11_172_810,
    "mobilenet_v3_small": 1_527_818, "small_vgg": 585_066, "small_vit": 540_170, "efficientnet_lite0": 3_383_818,
    "efficientnet_lite2": 4_823_882, "patch_cnn": 317_162, "quick_cnn": 422_250, "wide_resnet": 372_058,
}  # fmt: skip
# pictures' side and number for the falling loss, where 28 and 192 would take seconds
SMALL = {
    "resnet18": (12, 32), "efficientnet_lite0": (16, 16), "efficientnet_lite2": (16, 16), "small_vit": (16, 64),
    "mobilenet_v3_small": (16, 64), "wide_resnet": (16, 96),
    "small_resnet": (16, 96), "small_vgg": (16, 96),
    "fashion_cnn": (22, 128), "batchnorm_cnn": (22, 128),
}  # fmt: skip
BUILDS = [*((name, {}) for name in MODELS), *((name, {"pretrained": True}) for name in PRETRAINED)]


@pytest.mark.parametrize(("name", "count"), COUNTS.items())
def test_parameters_to_the_letter(name, count):
    assert parameter_count(build(name, **FASHION)) == count


def test_fashion_cnn_layers_to_the_letter():
    kinds = [type(layer).__name__ for layer in build("fashion_cnn", **FASHION).body]
    block = ["Conv2d", "ReLU", "MaxPool2d", "Dropout"]
    assert kinds == [*block, *block, "Conv2d", "ReLU", "Dropout", "Flatten", "Linear", "ReLU", "Dropout"]
    drops = [layer.p for layer in build("fashion_cnn", **FASHION).body if isinstance(layer, torch.nn.Dropout)]
    assert drops == [0.25, 0.25, 0.4, 0.3]


def test_each_is_introduced_with_its_true_number_of_parameters():
    assert list(ABOUT) == list(MODELS)
    for name, words in ABOUT.items():
        assert f"{parameter_count(build(name, **FASHION)):,} parameters" in words


@pytest.mark.parametrize(("name", "options"), BUILDS)
@pytest.mark.parametrize("form", [FASHION, WIDE])
def test_shapes_follow_the_data(name, options, form):
    model = build(name, **form, **options)
    images = torch.zeros(2, form["channels"], form["height"], form["width"])
    assert model(images).shape == (2, form["classes"])
    assert torch.equal(model.eval()(images), model.head(model.body(images)))


@pytest.mark.parametrize("name", MODELS)
def test_loss_falls_on_synthetic(name):
    side, train = SMALL.get(name, (28, 192))
    data = synthetic.load(f"synthetic-4-{side}x{side}x1", train=train, validation=4, test=4)
    torch.manual_seed(0)
    config = TrainConfig(model=name, epochs=3, batch_size=16 if train < 100 else 32, augment=(), threads=1)
    epochs = list(fit(build(name, channels=1, height=side, width=side, classes=4), data, config))
    assert epochs[-1].train_loss < 0.8 * epochs[0].train_loss


@pytest.mark.parametrize(("name", "options"), BUILDS)
def test_folding_leaves_no_normalisation_and_the_same_answers(name, options):
    torch.manual_seed(0)
    model = build(name, channels=1, height=24, width=24, classes=5, **options).double()  # no rounding in the way
    images = torch.randn(4, 1, 24, 24, dtype=torch.float64)
    with torch.no_grad():
        nn.init.normal_(model.head.weight, std=0.1)  # some start with a head of zeros
        for layer in model.modules():
            if isinstance(layer, nn.BatchNorm2d):
                nn.init.uniform_(layer.weight, 0.5, 1.5)
                nn.init.normal_(layer.bias, std=0.1)
                layer.momentum = None  # the mean over all batches: one is enough to leave the start
        model(images)
        found = folded(model.eval())
        expected = model(images)
    assert expected.std() > 1e-3
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in found.modules())
    torch.testing.assert_close(found(images), expected, atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize(("name", "options"), BUILDS)
def test_no_layer_overwrites_what_it_was_given(name, options):
    """Feature maps are shown layer by layer; each must still be there when the next has spoken."""
    model = build(name, channels=1, height=24, width=24, classes=5, **options).eval()
    value = torch.randn(2, 1, 24, 24)
    with torch.no_grad():
        for layer in model.body:
            before = value.clone()
            given, value = value, layer(value)
            assert torch.equal(given, before), layer


def test_the_vit_cuts_any_picture_into_at_most_eight_patches_a_side():
    for height, width, patch, across in [(28, 28, 4, 7), (64, 64, 8, 8), (30, 20, 4, 8), (96, 40, 12, 8)]:
        model = build("small_vit", channels=1, height=height, width=width, classes=3)
        assert model.body.patches.kernel_size == (patch, patch)
        assert model.body.tokens.places.shape == (1, 1 + across**2, 128)
        images = torch.randn(1, 1, height, width)
        seen = model.body.patches(model.body.pad(images) if hasattr(model.body, "pad") else images)
        assert seen.shape == (1, 128, across, across)


def test_the_lens_turns_one_normalisation_into_the_other():
    pixels = torch.rand(2, 1, 8, 6)
    lens = InputAdapter(1, 8, 6, side=6)
    lens.focus([0.3], [0.2])
    expected = (pixels.expand(-1, 3, -1, -1) - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    torch.testing.assert_close(lens((pixels - 0.3) / 0.2), expected)
    assert InputAdapter(3, 40, 20, side=112).size == (224, 112)
    with pytest.raises(ValueError, match="grey or RGB"):
        InputAdapter(2, 28, 28)


def test_the_lens_keeps_pictures_that_are_large_enough_and_shrinks_those_of_a_beginning_alike():
    lens = InputAdapter(3, 40, 20, side=20)
    pictures = torch.rand(1, 3, 40, 20)
    assert torch.equal(lens(pictures), pictures)
    assert InputAdapter(3, 40, 20, side=40)(torch.rand(1, 3, 20, 10)).shape == (1, 3, 40, 20)
    for name in PRETRAINED:
        model = build(name, channels=3, height=64, width=48, classes=2, pretrained=True, side=48)
        assert model.body.lens.size == (64, 48), name
    assert build("efficientnet_lite2", channels=3, height=224, width=224, classes=2).body.lens.size == (112, 112)


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "small_vgg", "small_vit"])
def test_dropout_and_batch_norm_are_choices_in_torchvisions_models_too(name):
    model = build(name, channels=1, height=16, width=16, classes=3, dropout=0.0, batch_norm=False)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in model.modules())
    assert not any(layer.p for layer in model.modules() if isinstance(layer, nn.Dropout))
    assert all(layer.bias is not None for layer in model.modules() if isinstance(layer, nn.Conv2d))


def test_published_weights_are_known_of_few():
    with pytest.raises(ValueError, match="resnet18"):
        build("compact_cnn", **FASHION, pretrained=True)


def test_unknown_and_too_small():
    with pytest.raises(KeyError, match="compact_cnn"):
        build("resnet_900", **FASHION)
    with pytest.raises(ValueError, match="22 × 22"):
        build("compact_cnn", channels=1, height=20, width=28, classes=2)
