"""The adapter's API and its pages: one FastAPI app, which `plugins/ifms_plugin.py` mounts at /ifms."""
