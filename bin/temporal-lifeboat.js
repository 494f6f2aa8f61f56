#!/usr/bin/env node
// `temporal lifeboat …`: the Temporal CLI runs an executable of this name on PATH.
import './lifeboat.js';
