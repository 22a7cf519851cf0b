"""Questions about flows: the filter language and the reports, as parameterised SQL. Pure."""
