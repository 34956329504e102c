"""The ten service codes, and what people do beside them: adopt, ask, settle, choose; each given its connections."""
