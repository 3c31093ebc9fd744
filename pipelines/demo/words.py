"""The words and figures of the demo shop's catalogue."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Style:
    """One of a category's four styles: the nouns and sizes of its products."""

    nouns: tuple[str, ...]
    sizes: tuple[str, ...]


@dataclass(frozen=True)
class Category:
    """A department of the shop.

    prices: the range for the smallest size. cycle: days until a product is bought again (0: never). peak: the
    day of the year with the highest sales, which are by the share `swing` above the mean. companion: the
    category of the products that are added to the same basket.
    """

    name: str
    prices: tuple[int, int]
    cycle: int
    peak: int
    swing: float
    companion: str
    styles: tuple[Style, ...]


def _style(nouns: str, sizes: str) -> Style:
    return Style(tuple(nouns.split("|")), tuple(sizes.split("|")))


CATEGORIES = (
    Category("Coffee", (290, 690), 14, 15, 0.2, "Kitchen", (
        _style("espresso beans|Italian roast beans|ristretto beans|mocha beans", " 250 g| 500 g| 1 kg"),
        _style("Kenya coffee|Ethiopia coffee|Colombia coffee|breakfast coffee", " 250 g| 500 g| 1 kg"),
        _style("lungo capsules|vanilla capsules|mocha capsules|hazel capsules", ", 10 pcs|, 20 pcs|, 50 pcs"),
        _style("decaf beans|decaf ground coffee|mild decaf|Swiss water decaf", " 200 g| 400 g| 800 g"),
    )),
    Category("Tea", (150, 450), 18, 15, 0.4, "Sweets", (
        _style("Earl Grey|Assam|English breakfast tea|Darjeeling", " 100 g| 250 g|, 50 bags"),
        _style("sencha|jasmine green tea|gunpowder tea|matcha", " 50 g| 100 g| 200 g"),
        _style("peppermint tea|camomile tea|fennel tea|lemon balm tea", ", 20 bags|, 40 bags|, 80 bags"),
        _style("rooibos vanilla|wild berry tea|apple tea|rose hip tea", ", 20 bags| 100 g| 250 g"),
    )),
    Category("Sweets", (90, 290), 8, 355, 0.5, "Coffee", (
        _style("dark chocolate|orange chocolate|salted chocolate|cocoa nibs", ", 80 g|, 200 g|, 3 bars"),
        _style("milk chocolate|hazelnut chocolate|caramel chocolate|nougat bar", " 100 g| 200 g| 400 g"),
        _style("butter biscuits|oat cookies|ginger biscuits|almond cantuccini", " 150 g| 300 g| 600 g"),
        _style("fruit gums|liquorice|mint drops|sour worms", " 100 g| 250 g| 500 g"),
    )),
    Category("Kitchen", (390, 1900), 0, 340, 0.3, "Household", (
        _style("espresso cups|cappuccino cups|stoneware mugs|glass cups", ", set of 2|, set of 4|, set of 6"),
        _style("frying pan|saucepan|stock pot|wok", ", 20 cm|, 24 cm|, 28 cm"),
        _style("baking tin|muffin tray|pie dish|rolling pin", ", small|, medium|, large"),
        _style("chef's knife|chopping board|bread knife|peeler", ", steel|, beech|, set of 3"),
    )),
    Category("Body care", (120, 590), 21, 30, 0.2, "Hair care", (
        _style("hand cream|foot cream|body butter|elbow balm", " 75 ml| 150 ml| 300 ml"),
        _style("citrus shower gel|mint shower gel|sea salt scrub|pine bath foam", " 200 ml| 400 ml| 750 ml"),
        _style("lavender soap|olive soap|rose soap|oat soap", " 100 g|, 3 bars|, 6 bars"),
        _style("sensitive lotion|mild deodorant|mild face wash|mild day cream", " 50 ml| 100 ml| 200 ml"),
    )),
    Category("Hair care", (150, 650), 19, 200, 0.1, "Body care", (
        _style("repair shampoo|repair conditioner|repair mask|split-end serum", " 100 ml| 250 ml| 500 ml"),
        _style("volume shampoo|volume mousse|volume spray|volume powder", " 75 ml| 200 ml| 400 ml"),
        _style("anti-dandruff shampoo|tea tree shampoo|scalp tonic|nettle rinse", " 100 ml| 250 ml| 500 ml"),
        _style("curl cream|curl shampoo|curl gel|curl conditioner", " 100 ml| 250 ml| 500 ml"),
    )),
    Category("Household", (90, 390), 16, 100, 0.1, "Kitchen", (
        _style("washing powder|wool detergent|stain remover|fabric softener", " 1 kg| 2 kg| 5 kg"),
        _style("dishwasher tabs|rinse aid|washing-up liquid|dishwasher salt", ", small|, large|, refill"),
        _style("glass cleaner|bathroom cleaner|limescale remover|floor soap", " 500 ml| 1 l| 2 l"),
        _style("sponges|bin liners|microfibre cloths|kitchen rolls", ", 5 pieces|, 10 pieces|, 20 pieces"),
    )),
    Category("Pets", (120, 690), 9, 180, 0.05, "Household", (
        _style("dry cat food chicken|dry cat food salmon|kitten food|indoor cat food", " 400 g| 2 kg| 5 kg"),
        _style("dog food beef|dog food lamb|puppy food|senior dog food", " 800 g| 3 kg| 10 kg"),
        _style("cat treats|cat litter|wet cat food tuna|wet cat food duck", ", small|, large|, box of 12"),
        _style("hamster food|rabbit hay|bird seed|guinea pig pellets", " 500 g| 1 kg| 3 kg"),
    )),
    Category("Garden", (190, 1500), 0, 125, 0.6, "Household", (
        _style("tomato seeds|basil seeds|lettuce seeds|carrot seeds", ", 1 sachet|, 3 sachets|, 5 sachets"),
        _style("tulip bulbs|dahlia tubers|sunflower seeds|lavender plant", ", small|, medium|, large"),
        _style("secateurs|hand trowel|garden fork|watering can", ", light|, classic|, long"),
        _style("terracotta pot|balcony box|hanging basket|plant saucer", ", 20 cm|, 30 cm|, 40 cm"),
    )),
    Category("Stationery", (60, 490), 0, 240, 0.5, "Sweets", (
        _style("notebook, lined|notebook, dotted|weekly planner|sketchbook", ", A6|, A5|, A4"),
        _style("fountain pen|gel pen|mechanical pencil|rollerball", ", fine|, medium|, set of 3"),
        _style("watercolours|crayons|brush pens|acrylic paints", ", box of 12|, box of 24|, box of 48"),
        _style("ring binder|document tray|index cards|sticky notes", ", single|, pack of 3|, pack of 6"),
    )),
    Category("Sport", (250, 2400), 0, 150, 0.3, "Body care", (
        _style("yoga mat|yoga block|meditation cushion|yoga strap", ", slate|, sand|, moss"),
        _style("running socks|running belt|running cap|reflective vest", ", S|, M|, L"),
        _style("kettlebell|dumbbells|resistance bands|pull-up bar", ", light|, medium|, heavy"),
        _style("cycling gloves|bicycle bottle|bicycle light|repair kit", ", black|, red|, blue"),
    )),
    Category("Toys", (190, 1700), 0, 350, 0.7, "Stationery", (
        _style("wooden train|building blocks|stacking tower|marble run", ", small|, medium|, large"),
        _style("port puzzle|forest puzzle|castle puzzle|star puzzle", ", 100 parts|, 500 parts|, 999 parts"),
        _style("card game|dice game|family board game|memory game", ", travel|, classic|, deluxe"),
        _style("plush bear|plush fox|plush rabbit|plush whale", ", 20 cm|, 35 cm|, 60 cm"),
    )),
)  # fmt: skip

BRANDS = (
    "Aurora", "Birkhof", "Calma", "Dorvik", "Elmwood", "Fjordal", "Granat", "Halden",
    "Ivora", "Juniper", "Kestrel", "Lumen", "Marisol", "Nordlys", "Olivar", "Pinora",
    "Quilla", "Rosmar", "Solveig", "Talvi", "Umbra", "Valmor", "Wendel", "Xanthe",
    "Yarrow", "Zephyra", "Amberly", "Brisa", "Corvin", "Delphi", "Ember", "Ferrow",
    "Glenmoor", "Hazelby", "Isolde", "Jorvik", "Kastell", "Linden", "Mirador", "Northam",
)  # fmt: skip
