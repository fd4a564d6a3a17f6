# SPDX-License-Identifier: Apache-2.0
"""A sample inspector: automatic fault management that stands down for hosts in maintenance.

Doctor's own only logged that it should (its fault handling went on); here a fault of a host between
steps 7 and 11 of the guideline is recorded and nothing else happens.
"""
