from till import app


def test_change_is_given_in_few_coins():
    assert app.test_client().get("/change/88").get_json() == [50, 20, 10, 5, 2, 1]
