"""Read what bureaus send: workbooks, CSV files, photos."""
