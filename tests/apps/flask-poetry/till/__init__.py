"""A till that gives change."""

from flask import Flask, jsonify

app = Flask(__name__)
COINS = (200, 100, 50, 20, 10, 5, 2, 1)


@app.get("/health")
def health():
    return jsonify(coins=len(COINS))


@app.get("/change/<int:amount>")
def change(amount):
    given = []
    for coin in COINS:
        count, amount = divmod(amount, coin)
        given += [coin] * count
    return jsonify(given)
