import pytest
import torch
from torch import nn

from lattice_ml.nets.layers import PairedConv2d


@pytest.mark.parametrize("padding_mode", ["zeros", "circular"])
@pytest.mark.parametrize("extents", [(9, 9), (9, 12), (12, 9), (5, 18)])
@pytest.mark.parametrize("kernel_size", [1, 5])
@pytest.mark.parametrize("memory_format", [torch.channels_last, torch.contiguous_format])
def test_it_is_the_same_convolution_as_conv2d(padding_mode, extents, kernel_size, memory_format):
    """Values and gradients of input, weight and bias, in float64 where rounding hides nothing."""
    torch.manual_seed(0)
    paired = PairedConv2d(2, 6, kernel_size, padding_mode=padding_mode).double()
    plain = nn.Conv2d(2, 6, kernel_size, padding="same", padding_mode=padding_mode).double()
    plain.load_state_dict(paired.state_dict())
    x = torch.randn(3, 2, *extents, dtype=torch.float64).contiguous(memory_format=memory_format).requires_grad_()
    weights = torch.randn(3, 6, *extents, dtype=torch.float64)
    found, expected = paired(x), plain(x)
    torch.testing.assert_close(found, expected)
    for mine, theirs in zip(
        torch.autograd.grad((found * weights).sum(), [x, paired.weight, paired.bias]),
        torch.autograd.grad((expected * weights).sum(), [x, plain.weight, plain.bias]),
        strict=True,
    ):
        torch.testing.assert_close(mine, theirs)


def test_circular_convolution_commutes_with_translations():
    torch.manual_seed(1)
    layer = PairedConv2d(1, 3, padding_mode="circular").double()
    x = torch.randn(1, 1, 9, 7, dtype=torch.float64)
    torch.testing.assert_close(layer(x.roll((4, 3), (2, 3))), layer(x).roll((4, 3), (2, 3)))


def test_kernels_whose_pairs_do_not_line_up_are_refused():
    with pytest.raises(ValueError, match="1, 5, 9"):
        PairedConv2d(2, 6, 3)
