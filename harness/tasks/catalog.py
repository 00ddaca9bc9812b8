"""All readouts by name: the one list that the planner, the worker and the CLI share."""

from __future__ import annotations

from harness.tasks import (
    class_adapt,
    class_scratch,
    completion,
    joint,
    landmark_probe,
    layer_probe,
    ncd_knn,
    prequential,
    rates,
    speed,
    transfer,
    window,
)
from harness.tasks.task import Task

# Fits and baselines are no tasks, but their keys need a version too.
FIT_VERSION = 1
BASELINE_VERSION = 3

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        rates.TASK,
        prequential.TASK,
        class_scratch.TASK,
        class_adapt.TASK,
        landmark_probe.TASK,
        layer_probe.TASK,
        completion.TASK,
        ncd_knn.TASK,
        joint.TASK,
        transfer.TASK,
        window.TASK,
        speed.TASK,
    )
}
