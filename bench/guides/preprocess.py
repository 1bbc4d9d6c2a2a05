"""Split the table."""

import pandas as pd
from sklearn.model_selection import train_test_split

table = pd.read_csv("diabetes.csv")
training, test = train_test_split(table, test_size=0.2, stratify=table["Outcome"], random_state=42)
training.to_csv("training.csv", index=False)
test.to_csv("test.csv", index=False)
