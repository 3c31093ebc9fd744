"""The orders of a real Vendure server are learned as the shop has them, also while they change."""


def test_what_is_learned_equals_the_shop(vendure):
    shopper, shop, clock = vendure
    for _ in range(40):
        shopper.act()
    shop.pull(clock.today)
    assert shop.rows() == shopper.rows()
    print(shopper.done, shop.left_out())
