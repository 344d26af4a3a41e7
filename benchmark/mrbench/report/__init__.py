"""Takes rows and tables, writes files. Computes no statistic."""
