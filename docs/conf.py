# SPDX-License-Identifier: Apache-2.0
"""Sphinx: the documentation is text; the options and the sample file come from the code."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parent.parent))

project = "doctor-maintenance"
author = "doctor-maintenance contributors"
copyright = author
extensions = ["closeness_pages", "explorer_pages", "fault_pages", "judge_pages", "options_page"]
exclude_patterns = ["_build"]
html_theme = "alabaster"
html_theme_options = {"description": "planned maintenance with zero downtime", "page_width": "64em"}
nitpicky = True
