"""A network that learns: its weights, their average, and the rates at which they change."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from lib.models.classifier import Classifier
from lib.training.config import Dials, rate_factor
from lib.training.groups import parameter_groups

MOST_NORM = 5.0  # gradients are scaled down to it: one odd batch does not undo what was learned


class Learner:
    """A network, the average of its weights, and its optimizer."""

    def __init__(self, model: Classifier, dials: Dials) -> None:
        """Begin with a network as it is."""
        self.model, self.dials = model, dials
        average = get_ema_multi_avg_fn(dials.averaging)
        self.averaged = AveragedModel(model, multi_avg_fn=average, use_buffers=True)
        groups = parameter_groups(model, dials.layer_decay)
        self.optimizer = torch.optim.AdamW(groups, weight_decay=dials.weight_decay, fused=True)

    @property
    def average(self) -> Classifier:
        """The network with averaged weights."""
        model = self.averaged.module
        assert isinstance(model, Classifier)
        return model

    def state(self) -> dict[str, Any]:
        """Return what `load` needs to go on."""
        return {
            "model": self.model.state_dict(),
            "averaged": self.averaged.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Go on from a state."""
        self.model.load_state_dict(state["model"])
        self.averaged.load_state_dict(state["averaged"])
        self.optimizer.load_state_dict(state["optimizer"])

    def set_mode(self) -> None:
        """Be ready to learn; batch norms keep their statistics where the dials say so."""
        self.model.train()
        if self.dials.frozen_norms:
            for module in self.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):  # noqa: SLF001  # no other name for all of them
                    module.eval()

    def set_rates(self, step: int, steps: int) -> float:
        """Set the rates of a step, and return that of the layers nearest the head."""
        factor = rate_factor(step, steps, self.dials.warmup)
        for group in self.optimizer.param_groups:
            rate = self.dials.head_rate if group["is_head"] else self.dials.backbone_rate
            group["lr"] = rate * group["factor"] * factor
        return self.dials.backbone_rate * factor

    def learn(self, loss: Tensor) -> bool:
        """Take one step; return False, and take none, where its gradients are no numbers."""
        self.optimizer.zero_grad()
        loss.backward()
        if not nn.utils.clip_grad_norm_(self.model.parameters(), MOST_NORM).isfinite():
            return False
        self.optimizer.step()
        self.averaged.update_parameters(self.model)
        return True
