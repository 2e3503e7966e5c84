"""Levels of pixels in the cells of parquet: nested, flat, in Arrow's own tensors, of 0 to 1, channels first."""

import json

import h5py
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.ml.data.importing.seen import LABELS, N, Seen, drawn


def seen_of(tmp_path, column, field=None):
    schema = pa.schema([field or pa.field("image", column.type), pa.field("label", pa.string())])
    pq.write_table(pa.table([column, pa.array(LABELS)], schema=schema), tmp_path / "table.parquet")
    seen = Seen(tmp_path / "table.parquet")
    assert seen.labels == LABELS
    return seen


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 1, 3)])
@pytest.mark.parametrize("seen_as", [(0, 1, 2, 3), (0, 3, 1, 2)])
def test_arrows_own_tensors(tmp_path, order, seen_as):
    """Whatever order their memory is in, channels last or first: pyarrow itself gives some back in another order."""
    images = drawn()
    memory = np.ascontiguousarray(images.transpose(order)).transpose(np.argsort(order))
    column = pa.FixedShapeTensorArray.from_numpy_ndarray(memory.transpose(seen_as))
    np.testing.assert_array_equal(np.stack(seen_of(tmp_path, column).pixels), images)


@pytest.mark.parametrize("said", ["[8, 9, 3]", json.dumps({"shape": [8, 9, 3]})])
def test_a_shape_beside_a_list(tmp_path, said):
    """As Ray writes its tensors, where Ray is not there to read them."""
    images = drawn()
    more = {b"ARROW:extension:name": b"ray.data.arrow_tensor_v2", b"ARROW:extension:metadata": said.encode()}
    field = pa.field("image", pa.list_(pa.uint8()), metadata=more)
    column = pa.array([one.reshape(-1).tolist() for one in images], pa.list_(pa.uint8()))
    np.testing.assert_array_equal(np.stack(seen_of(tmp_path, column, field).pixels), images)


@pytest.mark.parametrize("channels", [1, 3])
def test_levels_one_after_the_other(tmp_path, channels):
    images = drawn(size=(12, 12, channels))
    table = pd.DataFrame({"pixels": [one.reshape(-1) for one in images], "label": LABELS})
    table.to_parquet(tmp_path / "flat.parquet")
    np.testing.assert_array_equal(np.stack(Seen(tmp_path / "flat.parquet").pixels), images)


def test_vectors_of_features_are_no_pictures(tmp_path):
    vectors = np.random.default_rng(0).normal(size=(N, 64))
    pd.DataFrame({"embedding": [*vectors], "label": LABELS}).to_parquet(tmp_path / "features.parquet")
    with pytest.raises(ValueError, match="neither a folder nor"):
        Seen(tmp_path / "features.parquet")


@pytest.mark.parametrize("first", [False, True])
@pytest.mark.parametrize("most", [1, 255])
def test_levels_of_0_to_1_and_channels_first(tmp_path, first, most):
    """They came in black, or were refused row by row."""
    images = drawn()
    levels = images.transpose(0, 3, 1, 2) if first else images
    cells = (levels / 255).tolist() if most == 1 else levels.tolist()
    pd.DataFrame({"image": cells, "label": LABELS}).to_parquet(tmp_path / "a.parquet")
    seen = Seen(tmp_path / "a.parquet")
    np.testing.assert_array_equal(np.stack(seen.pixels), images)
    assert ("levels up to 1 are scaled to 0 to 255" in seen.told) == (most == 1)


def test_hdf5_under_matlabs_name(tmp_path):
    """As hdf5storage writes it when it need not be MATLAB's: 512 bytes of nothing, then HDF5."""
    images = drawn()
    with h5py.File(tmp_path / "data.mat", "w", userblock_size=512) as file:
        file["images"], file["labels"] = images, np.arange(N) % 2
    seen = Seen(tmp_path / "data.mat")
    np.testing.assert_array_equal(np.stack(seen.pixels), images)
