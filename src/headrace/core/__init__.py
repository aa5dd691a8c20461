"""The words that all layers speak: ids, time, errors, messages, events. Pure."""
