"""What a converted model is looked over for before it is compiled: its shapes and its numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from lib.models.openvino_runtime import import_openvino


def fault_in(graph: bytes, weights: bytes, *, size_px: int, width: int) -> str | None:
    """Say what is wrong with a converted backbone, or None.

    Args:
        graph: XML.
        weights: the numbers that it refers to.
        size_px: side of the images that it should take.
        width: of the embeddings that it should give.
    """
    try:
        model = import_openvino().Core().read_model(graph, weights)
        found = _ends(model.inputs)
        if found != (wanted := f"u8 [?,3,{size_px},{size_px}]"):
            return f"it takes {found}, and bundle.json wants {wanted}"
        model.reshape([1, 3, size_px, size_px])  # until then the output's shape may be open
    except Exception as error:  # noqa: BLE001  # errors of many kinds, by where the file is damaged
        return f"OpenVINO cannot read it ({(str(error).strip().splitlines() or [''])[-1]:.200})"
    if (found := _ends(model.outputs)) != (wanted := f"f32 [1,{width}]"):
        return f"it gives {found}, and the head takes {wanted}"
    for node in model.get_ops():
        constant = node.get_type_name() == "Constant" and node.get_element_type().is_real()
        if constant and not np.isfinite(node.data).all():
            return f"'{node.get_friendly_name()}' holds a number that is not finite"
    return None


def _ends(ports: Sequence[Any]) -> str:
    found = [f"{e.element_type.get_type_name()} {e.partial_shape}" for e in ports]
    return " and ".join(found) or "nothing"
