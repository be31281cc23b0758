"""What each language writes with a full stop that may not end a sentence, and how its sentences begin.

An entry with a capital stands for itself alone ("Sat." is a day, "sat." is none); one without stands for any
case. Letters between stops are written with them: "e.g" is "e.g.", while "z. B." is two entries, "z" and "B".

A language that is not here is read like no language in particular: by all lists together, less what would be
an ordinary word of another language.
"""

# ruff: noqa: RUF001  # letters of other scripts are meant as they stand

from dataclasses import dataclass, fields
from functools import cache
from typing import Final, Literal, TypeAlias

# What an abbreviation says of the sentence:
# "title"   it goes on, always ("Dr.");
# "number"  it goes on where a number follows ("No. 5");
# "name"    it goes on, unless the next word often begins a sentence ("U.S. Army", but "U.S. The");
# "tail"    it ends, unless a small letter or a digit follows ("etc.").
Kind: TypeAlias = Literal["title", "number", "name", "tail"]


@dataclass(frozen=True, slots=True)
class Words:
    """The words of one language, parted by spaces."""

    title: str = ""
    number: str = ""
    name: str = ""
    tail: str = ""
    # Words that begin a sentence more often than a name.
    starters: str = ""
    # What follows the stop of an ordinal number.
    after_ordinals: str = ""
    # After these, a number with a stop is an ordinal, whatever follows.
    before_ordinals: str = ""
    # Entries above that are ordinary words elsewhere: only for a text that is known to be of this language.
    ambiguous: str = ""


_WORDS: Final = {
    "en": Words(
        title="mr mrs ms mx messrs dr prof rev fr Hon pres gov sen rep gen col lt sgt capt cpt cmdr maj "
        "adm pvt cpl supt insp mt e.g i.e eg ie vs viz cf fig figs eq eqs resp approx incl excl "
        "esp p.s p.p.s n.b msgr",
        number="no nos pop ref refs ch chap vol vols p pp pg sec sect art pt par para est b c d op",
        name="U.S U.K U.N E.U jr sr St inc ltd co corp bros ave blvd rd hwy ln sq dept dist univ assn "
        "Ph.D M.D B.A M.A jan feb Mar apr jun jul aug sept oct nov dec ibid cit",
        tail="etc al a.m p.m a.d b.c min max oz lb lbs ft tsp tbsp hr hrs mi yd yds Mon tue tues Wed "
        "weds thu thur thurs fri Sat Sun ed eds trans tel ext misc temp avg",
        starters="the a an it its he she they we you i this that these those there then here his her their "
        "our my your but and so or if in on at when while what who why how where is are was were "
        "do does did can could will would should please for from with as after before by no not "
        "yes yeah okay ok nobody everyone someone others nothing all some many most however also "
        "still now today tomorrow let's it's he's she's that's there's they're we're you're i'm "
        "i'll i've isn't aren't don't didn't see both",
    ),
    "de": Words(
        title="Hr Str dr prof hr fr frl hrn dipl ing med phil jur rer nat mag st bzw ca vgl sog insb evtl "
        "ggf bzgl inkl exkl zzgl abzgl gem lt zz str z.B d.h u.a i.d.R o.ä z d",
        number="nr abb tab kap s S bd bde art abs anm hausnr tel",
        name="B h u o",
        tail="usw etc a ff f min std sek mio mrd jh jhd uhr geb gest mo di mi do fr sa so jan feb mär "
        "apr jun jul aug sep sept okt nov dez ä",
        starters="der die das den dem des ein eine einen einem er sie es wir ihr ich du und aber oder wenn "
        "als in im am auf bei mit nach von zu was wer wie wo warum noch heute dann da dort hier "
        "bitte nein ja vielen jetzt so auch dies diese dieser dieses man mein meine sein seine "
        "viel",
        after_ordinals="januar februar märz april mai juni juli august september oktober november dezember "
        "jahrhundert jahrhunderts jahrtausend",
        before_ordinals="am im der den dem des vom zum zur beim die das bis seit ab ein eine einen jede "
        "jeder jedes jeden",
        ambiguous="med nat str gem art abs tab fr so do mi di sa mo a u o f s S d h z lt st ing mag tel min "
        "B am",
    ),
    "fr": Words(
        title="m mm mme mmes mlle mlles dr pr me mgr st ste p ex cf env av apr boul bd hab p.ex c.-à-d M MM",
        number="no nos n art chap fig vol t pp éd tél",
        name="J.-C",
        tail="etc janv févr avr juil sept oct nov déc min",
        starters="le la les l un une des il elle ils elles on nous vous je tu ce c'est c'était cela ça ces "
        "cet cette mais et ou si dans en à pour avec sans puis alors quand comment pourquoi où "
        "qui que oui non",
        ambiguous="m mm me p ex av apr art t n no bd env hab pr st min",
    ),
    "es": Words(
        title="sr sra sres srta srtas dr dra dres d dña prof profa ing lic arq gral ud uds vd vds av "
        "avda c p ej p.ej aprox pág págs núm núms art fig vol tel ee dpto depto izq dcha sto "
        "sta",
        number="cap",
        name="uu EE.UU a m",
        tail="etc a.m p.m a.C d.C s.a",
        starters="el la los las un una él ella ellos ellas yo tú nosotros esto eso este esta y o pero si "
        "en a con de para por cuando como qué quién dónde no sí hoy ya muy se le me te nos lo",
        ambiguous="d c p a m art fig av ing ej lic sto sta",
    ),
    "it": Words(
        title="sig sigg sig.ra sig.na dott dott.ssa dr prof prof.ssa avv ing arch geom rag on mons don "
        "pag pagg art artt fig vol tel num ca s p es p.es v ecc.mo spett egr gent.ma",
        number="cap n sec",
        tail="ecc etc a.C d.C",
        starters="il lo la i gli le un una uno egli lui lei loro io tu noi voi questo questa quello ma e o "
        "se in a con per quando come che chi dove perché no sì oggi poi allora è",
        ambiguous="ing arch on don art s p v es n sec rag",
    ),
    "pt": Words(
        title="sr sra srs sras srta dr dra drs prof profa eng exmo exma v exa av r p ex p.ex pág págs "
        "núm n art fig vol tel apto jr",
        number="cap",
        tail="etc a.C d.C",
        starters="o a os as um uma ele ela eles elas eu tu nós isto isso este esta e ou mas se em no na "
        "com para por quando como que quem onde não sim hoje já",
        ambiguous="v r p ex n art av eng exa",
    ),
    "nl": Words(
        title="dhr mevr mw mr drs ir ing prof dr ds st bijv bv o.a d.w.z t/m m.b.t i.p.v t.o.v z.o.z ca "
        "evt incl excl nl resp vgl",
        number="blz nr art fig hfst tel p",
        tail="enz etc e.d m.a.w jan feb mrt apr jun jul aug sep okt nov dec min",
        starters="de het een hij zij ze wij we ik jij je u dit dat deze die er daar hier en maar of als in "
        "op aan met voor van wat wie waar waarom hoe nee ja vandaag dan",
        ambiguous="ir ds ing bv art nl p min",
    ),
    "sv": Words(
        title="t.ex bl.a dvs s.k d.v.s prof dr fr hr st ca kl resp jfr f.d",
        number="nr s kap fig art tel",
        tail="m.m osv etc o.s.v m.fl o.d jan feb apr jun jul aug sept okt nov dec",
        starters="den det de en ett han hon vi ni jag du och men om när vad vem var varför hur nej ja idag "
        "då",
        ambiguous="s art fr",
    ),
    "da": Words(
        title="f.eks bl.a dvs hr fr dr prof ca kl jf mht",
        number="nr s kap fig tlf",
        tail="osv m.m mv etc o.l",
        starters="den det de en et han hun vi i jeg du og men hvis når hvad hvem hvor hvorfor nej ja",
        after_ordinals="januar februar marts april maj juni juli august september oktober november december",
        ambiguous="s fr",
    ),
    "no": Words(
        title="f.eks bl.a dvs hr fr dr prof ca kl jf",
        number="nr s kap fig tlf",
        tail="osv m.m mv etc o.l",
        starters="den det de en et han hun vi jeg du og men hvis når hva hvem hvor hvorfor nei ja",
        after_ordinals="januar februar mars april mai juni juli august september oktober november desember",
        ambiguous="s fr",
    ),
    "fi": Words(
        title="esim ns ts tri prof hra rva mm eli",
        tail="jne ym yms klo",
        starters="se hän he me te minä sinä tämä tuo nämä ja mutta jos kun mitä kuka missä miksi ei kyllä",
        after_ordinals="tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta "
        "elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
        ambiguous="mm eli ns ts",
    ),
    "pl": Words(
        title="ul al pl os prof dr inż mgr hab p pp np tj tzn tzw ok im św ks gen płk por zob godz woj "
        "ds pn wg m.in",
        number="nr str s t rys tab tel poz art ust",
        tail="itd itp in r w zł gr tys mln mld min",
        starters="to ten ta te on ona ono oni my wy ja ty i a ale jeśli gdy co kto gdzie dlaczego jak nie "
        "tak w na z do dziś potem",
        ambiguous="al os ok im por hab gen p s t in r w min art str tab pl ds poz",
    ),
    "cs": Words(
        title="např tj tzv tzn p pí dr prof ing mgr ul nám sv č resp popř cca mj",
        number="str s obr tab tel odst",
        tail="atd apod aj hod min tis mil mld",
        starters="to ten ta on ona oni my vy já ty a ale pokud když co kdo kde proč jak ne ano v na s z do "
        "dnes",
        after_ordinals="ledna února března dubna května června července srpna září října listopadu prosince",
        ambiguous="p s ul ing aj min mil str tab mj sv",
    ),
    "ru": Words(
        title="ул пр просп пер пл наб д кв корп стр оф см ср напр им св т и тел рис табл гл р обл респ "
        "акад проф доц г-н г-жа ст п с гр к тов м н",
        name="в вв",
        tail="г гг руб коп тыс млн млрд трлн др пр т.д т.п т.е т.к и.о мин сек час шт кг м см км е э "
        "янв фев апр авг сент окт нояб дек",
        starters="он она оно они мы вы я ты это этот эта эти тот и а но если когда что кто где почему как "
        "не нет да в на с у потом там здесь сегодня все всё его её их мой наш ваш",
    ),
    "uk": Words(
        title="вул просп пл буд кв див ім св тел рис табл проф акад обл напр гр",
        tail="грн коп тис млн млрд ін хв сек р рр",
        starters="він вона воно вони ми ви я ти це цей ця ці і а але якщо коли що хто де чому як ні так в "
        "на з у",
    ),
    "el": Words(
        title="κ κα κος κκ δρ καθ π.χ αρ σελ βλ πχ τηλ οδ λεωφ",
        tail="κ.λπ κλπ κ.ά κ.τ.λ κτλ π.μ μ.μ π.Χ μ.Χ",
        starters="ο η το οι τα αυτός αυτή αυτό εγώ εσύ εμείς εσείς και αλλά αν όταν τι ποιος πού γιατί πώς "
        "όχι ναι",
    ),
    "tr": Words(
        title="dr prof doç Av av müh sn bay bkz örn yrd alb gen cad sok mah apt no tel",
        tail="vb vs vd yy",
        starters="bu şu o biz siz ben sen onlar ve ama eğer ne kim nerede neden nasıl hayır evet bir",
        after_ordinals="sınıf sınıfa sınıfta kat katta katında yüzyıl yüzyılda gün hafta bölüm ocak şubat "
        "mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
        ambiguous="av no vs vd sok bay apt gen yy",
    ),
    "hu": Words(
        title="dr prof pl ún kb ld vö ill özv id ifj",
        tail="stb u sz",
        starters="a az ez egy ő ők mi ti én te és de ha mikor mit ki hol miért hogyan nem igen",
        after_ordinals="január február március április május június július augusztus szeptember október "
        "november december",
        ambiguous="pl id ill u sz",
    ),
    "vi": Words(
        title="TS ThS TP GS PGS BS KS Q P TX TT NXB",
        tail="v.v",
        ambiguous="Q P KS TT TX BS GS",
    ),
    "id": Words(
        title="dr drs prof ir h hj jl rp no tn ny yth dsb a.n u.b",
        tail="dll dst dkk",
        starters="dia ia mereka kami kita saya anda ini itu dan tetapi jika ketika apa siapa di mana "
        "mengapa tidak ya",
        ambiguous="h no ir",
    ),
    "ar": Words(
        title="د أ م ص ب ت ط ج أ.د د.ا",
    ),
    "fa": Words(
        title="د م ص دکتر ق.م",
    ),
    "hi": Words(
        title="डॉ डा श्री प्रो पं सु कु स्व रु क्र सं",
    ),
    "bn": Words(
        title="ডা ড ডঃ মো মোঃ প্রো রু অধ্যা",
    ),
    "ta": Words(
        title="திரு டாக்டர் ரூ பேரா",
    ),
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the lists of one language, or of all, say of a word."""

    kinds: dict[str, Kind]
    starters: frozenset[str]
    after_ordinals: frozenset[str]
    before_ordinals: frozenset[str]

    def kind(self, word: str) -> Kind | None:
        """Tell what the stop after *word* means; ``None`` where it is no abbreviation.

        A word in capitals only is looked up as it is: "CA" is a place, "ca" an abbreviation.
        """
        acronym = len(word) > 1 and word.isalpha() and word.isupper()
        return self.kinds.get(word) or (None if acronym else self.kinds.get(word.lower()))


def rules_for(language: str | None) -> Rules:
    """Return the rules of *language*, such as "de" or "pt-BR"; those of all together where it has none."""
    code = (language or "").replace("_", "-").partition("-")[0].lower()
    return _rules(code if code in _WORDS else None)


@cache
def _rules(code: str | None) -> Rules:
    chosen = _WORDS.values() if code is None else [_WORDS[code]]
    kinds: dict[str, Kind] = {}
    lists: dict[str, set[str]] = {field.name: set() for field in fields(Words)}
    for words in chosen:
        left_out = set(words.ambiguous.split()) if code is None else set[str]()
        for kind in _KINDS:
            for word in getattr(words, kind).split():
                if word not in left_out:
                    kinds.setdefault(word, kind)
        for name in ("starters", "after_ordinals", "before_ordinals"):
            lists[name].update(getattr(words, name).split())
    if code is None:
        # "das 5." and "den 5." are German alone; "am 5." and "die 5." are not.
        lists["before_ordinals"] &= {"im", "vom", "zum", "zur", "beim", "dem", "des"}
    return Rules(
        kinds,
        frozenset(lists["starters"]),
        frozenset(lists["after_ordinals"]),
        frozenset(lists["before_ordinals"]),
    )


_KINDS: Final[tuple[Kind, ...]] = ("title", "number", "name", "tail")
