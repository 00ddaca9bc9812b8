"""Errors that bitprobe raises on purpose.

HarnessError
├── UsageError                 the request cannot be carried out as written: exit code 2
│   ├── SpecError              a compressor spec or one of its fields
│   │   └── UnknownCompressorError
│   ├── SuiteError             a suite file, or the name of one
│   ├── DatasetError           a dataset card, its source or its contents
│   ├── PluginError            a plugin file that does not load
│   └── StoreError             an output folder that cannot be used
├── UnavailableError           something optional is missing: a package, a device
├── StoppedError               the user stopped a training that can be resumed: exit code 130
├── NotApplicableError         this readout has no meaning for this compressor or data
├── CodingError                a compressor broke its contract while coding
├── ConformanceError           a compressor does not keep the contract of compressors
└── ContainerError             coded bytes are damaged, or belong to another artifact
"""


class HarnessError(Exception):
    """Root of the tree; its message is one line that tells what to do."""


class UsageError(HarnessError):
    """The request cannot be carried out as written."""


class SpecError(UsageError):
    """A compressor spec string or a field value is not legal."""


class UnknownCompressorError(SpecError):
    """No compressor has this name."""


class SuiteError(UsageError):
    """A suite is unknown or its file is not legal."""


class DatasetError(UsageError):
    """A dataset is unknown, cannot be fetched, or is not what its card says."""


class PluginError(UsageError):
    """A plugin file cannot be loaded."""


class StoreError(UsageError):
    """An output folder cannot be used."""


class UnavailableError(HarnessError):
    """Something optional is missing on this machine."""


class StoppedError(HarnessError):
    """The user stopped a training that the same command resumes."""


class NotApplicableError(HarnessError):
    """The readout has no meaning for this compressor or this data set."""


class CodingError(HarnessError):
    """A compressor broke its contract while coding."""


class ConformanceError(HarnessError):
    """A compressor does not keep the contract of compressors."""


class ContainerError(HarnessError):
    """Coded bytes are damaged, truncated, or belong to another artifact."""
