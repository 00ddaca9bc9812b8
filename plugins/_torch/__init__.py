"""What all neural plugins share: training in float, coding in exact integers.

`model` is what a plugin builds on. It, `recipe`, `budget`, `batches`, `quantise` and
`tables` import fast; `network`, `training`, `exact` import torch and are imported inside
methods only.
"""
