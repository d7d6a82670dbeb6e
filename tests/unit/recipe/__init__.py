"""Recipes: where they are found and what they may say."""
