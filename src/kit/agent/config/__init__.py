"""The agent's configuration: who may use which key for what, read strictly and checked before it counts."""

from __future__ import annotations

from kit.agent.config.parsing import parse as parse
from kit.agent.config.problems import ConfigurationError as ConfigurationError
from kit.agent.config.reading import USUAL_PATH as USUAL_PATH
from kit.agent.config.reading import read as read
from kit.agent.config.settings import KeyRule as KeyRule
from kit.agent.config.settings import Settings as Settings
