"""Customer ids that stand for nobody: what shops and spreadsheets write where no customer is known.

The patterns are regular expressions of Python and of Java, as Spark applies them too.
"""

BLANK = r"[\s\u00a0\u00ad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]*"
SEPARATORS = r"[\s().\-/\u00a0\u2010-\u2015\u2212]*"  # within a telephone number

_PUNCTUATION_AND_ZEROS = r"[\u0000-0:-@\[-`{-\u00bf\u2000-\u206f\u3000\ufeff]*"  # all of ASCII but 1-9, a-z
_FRACTION = r"([.,]0+)?"  # a spreadsheet may write an id as 99999.0
_ONE_DIGIT = "(" + "|".join(f"{digit}{{5,}}" for digit in "123456789") + f"){_FRACTION}"
# A spreadsheet shows a long number as 7.91654E+10: the digits that distinguish customers are lost.
_ROUNDED = r"\d([.,]\d{1,5})?E\+\d\d"
_SPREADSHEET_ERROR = r"#(n/a|null!|value!|ref!|name\?|num!|div/0!)"
_WORDS = (
    r"n/?a|na[nt]|nil|none|null|undefined|unknown|missing|empty|false|\\N|"
    r"anon|anonym|anonymous([ _-]?(user|customer|visitor))?|anonymi[sz]ed|redacted|deleted([ _-]?user)?|"
    r"guests?([ _-]?(user|customer|account|checkout|order|shopper))?|visitors?|object object|"
    r"(cash|walk[ _-]?in|default|dummy|unknown|no)[ _-]?(customer|client|user|account)|"
    r"no[ _-]?(e-?mail|phone|name|id)|"
    r"not[ _-]?(set|available|applicable|provided|given|registered|logged[ _-]?in)|"
    r"gast|gäste|unbekannt|laufkund(e|schaft)|invité|inconnu|invitado|desconocido|ospite|sconosciuto|"
    r"гость|аноним|неизвестно"
)
_MAILBOXES = (
    r"guest|anonymous|anonym|anonymi[sz]ed|deleted|no-?reply|no-?e?mail|unknown|undefined|none|null|nobody"
)

_CODE = rf"\+?(\d{SEPARATORS}){{0,5}}"  # of a country, or the prefix of a call abroad
_TEN_EQUAL = "|".join(rf"({digit}{SEPARATORS}){{10}}" for digit in "0123456789")
_SEVEN_EQUAL = "|".join(rf"({digit}{SEPARATORS}){{7,}}" for digit in "123456789")
_COUNTING = SEPARATORS.join("1234567890")
# Telephone numbers that people type to get past a form: one digit ten times, or counting from 1 to 0.
PLACEHOLDER = (
    rf"^{SEPARATORS}(\+?{SEPARATORS}({_SEVEN_EQUAL})|{_CODE}({_TEN_EQUAL})"
    rf"|{_CODE}{_COUNTING}{SEPARATORS}(1{SEPARATORS}2?)?{SEPARATORS})$"
)
NOBODY = (
    rf"(?iu:^{BLANK}({_PUNCTUATION_AND_ZEROS}|-1{_FRACTION}|{_ONE_DIGIT}|{_ROUNDED}|{_SPREADSHEET_ERROR}"
    rf"|[(<\[]?({_WORDS})[)>\]]?|({_MAILBOXES})@.*){BLANK}$)|{PLACEHOLDER}"
)
