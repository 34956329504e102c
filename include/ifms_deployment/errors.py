"""What a deployment's commands raise."""


class DeploymentError(Exception):
    """The installation can't be made ready; the text says why and what to do."""
