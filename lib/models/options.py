"""Which device, runtime and precision a run file may ask for."""

from typing import Literal

# of one actor: while one is classified or written, the next is fetched and decoded
UNITS_AT_ONCE = 2

Device = Literal["auto", "cpu", "cuda"]
Runtime = Literal["auto", "torch", "openvino"]
Precision = Literal["auto", "bf16", "fp32"]
EnginePrecision = Literal["auto", "int8", "bf16", "fp32"]
ChosenPrecision = Literal["int8", "bf16", "fp32"]
