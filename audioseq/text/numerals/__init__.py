"""Inverse text normalisation: numbers, times, dates, money and letters of a spoken text in figures."""
