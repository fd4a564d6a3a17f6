# SPDX-License-Identifier: Apache-2.0
"""Mutants: wrong admin tools, app managers and inspectors, each caught by a clause of the contract.

A judge that lets nothing pass has to be shown something wrong, again and again. Many of these mistakes
were really made, by the sample admin tool that this project replaces. To add one, write a ``Tamper`` with a
docstring beside its likes, and say which clause catches it; a test does the rest.
"""

from doctor_maintenance.explorer.mutants import consent, lost, order, others, sessions, told
from doctor_maintenance.explorer.mutants.mutant import MUTANTS, Mutant

__all__ = ["MUTANTS", "Mutant", "consent", "lost", "order", "others", "sessions", "told"]
