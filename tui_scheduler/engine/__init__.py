"""The engine, on trio: plan and claim, arm, fire, settle, record, keep."""
