"""A small vision transformer (Dosovitskiy et al. 2020, arXiv:2010.11929) of torchvision's own parts.

The picture is cut into 7 × 7 patches of 4 × 4 pixels, each a word of 128 numbers; four blocks of attention let every
patch look at every other. 540,170 parameters on 28 × 28 × 1.
"""

import torch
from torch import Tensor, nn

from ml.system.torchvision_ops import declare

ACROSS = 8  # patches a side, at most
PATCH = 4  # pixels a side, at least
WIDTH, BLOCKS, HEADS, HIDDEN, DROPOUT = 128, 4, 4, 256, 0.1


class SmallViT(nn.Module):
    """images: float [n, channels, height, width], normalised → logits [n, classes].

    Pictures whose sides are no multiple of the patch, or differ, are padded with their mean at the right and below.
    """

    def __init__(self, *, channels: int = 1, height: int = 28, width: int = 28, classes: int = 10) -> None:
        super().__init__()
        declare()
        from torchvision.models import VisionTransformer

        patch = max(PATCH, -(-max(height, width) // ACROSS))
        side = patch * -(-max(height, width) // patch)
        net = VisionTransformer(side, patch, BLOCKS, HEADS, WIDTH, HIDDEN, DROPOUT, num_classes=classes)
        cut = nn.Conv2d(channels, WIDTH, patch, patch)
        nn.init.trunc_normal_(cut.weight, std=(channels * patch**2) ** -0.5)  # as torchvision's
        assert cut.bias is not None
        nn.init.zeros_(cut.bias)
        self.body = nn.Sequential()
        if (height, width) != (side, side):
            self.body.add_module("pad", nn.ZeroPad2d((0, side - width, 0, side - height)))
        self.body.add_module("patches", cut)
        self.body.add_module("tokens", Tokens(net.class_token, net.encoder.pos_embedding))
        self.body.add_module("drop", net.encoder.dropout)
        for number, block in enumerate(net.encoder.layers):
            self.body.add_module(f"block_{number}", block)
        self.body.add_module("norm", net.encoder.ln)
        self.body.add_module("answer", FirstToken())
        self.head = net.heads.head

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.body(images))


class Tokens(nn.Module):
    """Patches in a row behind a learned word that will hold the answer, each with its place added.

    float [n, width, rows, columns] → [n, 1 + rows × columns, width].
    """

    def __init__(self, first: nn.Parameter, places: nn.Parameter) -> None:
        super().__init__()
        self.first, self.places = first, places

    def forward(self, patches: Tensor) -> Tensor:
        words = patches.flatten(2).transpose(1, 2)
        return torch.cat([self.first.expand(words.shape[0], -1, -1), words], dim=1) + self.places


class FirstToken(nn.Module):
    """float [n, tokens, width] → [n, width]: the word that has gathered the answer."""

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens[:, 0]
