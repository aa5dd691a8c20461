"""This module makes the turns about the name of the person: telling it, and asking for it."""

import random

from .wording import invented, say, typed, words

__all__ = ["BOYS", "GIRLS", "a_name", "ask_name", "give_name"]

GIRLS = words("""Mia, Ana, Chloe, Emma, Greta, Ines, Lena, Nora, Rosa, Tara, Wendy, Yara, Zoe, Alice, Clara, Elena, Eva, Hannah, Julia, Laura, Lisa, Lucia,
    Marie, Marta, Nina, Olga, Petra, Priya, Ruth, Sara, Sofia, Vera, Amara, Aisha, Mei, Frida, Ella, Lily, Luna, Ida""")
BOYS = words("""Oscar, Leo, Ben, Diego, Finn, Hugo, Jonas, Kai, Mateo, Paul, Sam, Victor, Ahmed, Arthur, Bruno, Carlos, Daniel, David, Elias, Felix, Gabriel,
    Hans, Henry, Ivan, Jack, James, Jan, John, Karim, Lars, Louis, Lucas, Max, Miguel, Nico, Noah, Oliver, Omar, Pedro, Peter, Tim, Tom""")
_NAMES = words("""
    Oscar, Priya, Mia, Leo, Ana, Ben, Chloe, Diego, Emma, Finn, Greta, Hugo, Ines, Jonas, Kai, Lena, Mateo, Nora, Olga,
    Paul, Quinn, Rosa, Sam, Tara, Uma, Victor, Wendy, Xavier, Yara, Zoe, Ahmed, Aisha, Akira, Alejandro, Alice, Amara,
    Anders, Andrea, Antoine, Arthur, Astrid, Bastian, Beatriz, Bruno, Camille, Carla, Carlos, Cedric, Clara, Claire,
    Daniel, David, Elena, Elias, Elif, Eva, Fatima, Felix, Fernando, Florian, Francois, Frida, Gabriel, Georg, Hannah,
    Hans, Hassan, Helena, Henry, Ibrahim, Igor, Ingrid, Isabel, Ivan, Jack, James, Jan, Javier, Jean, Jin, Joana, John,
    Jorge, Julia, Julien, Karim, Karin, Katja, Kenji, Lars, Laura, Lin, Lisa, Louis, Lucas, Lucia, Luis, Lukas, Manon,
    Marco, Maria, Marie, Markus, Marta, Max, Mei, Miguel, Mohamed, Monika, Nadia, Natasha, Nico, Nina, Noah, Oliver,
    Omar, Otto, Pablo, Patrick, Pedro, Peter, Petra, Pierre, Rafael, Raj, Robert, Ruth, Sabine, Sara, Sebastian, Sofia,
    Stefan, Susanne, Tanja, Thomas, Tim, Tom, Ursula, Valerie, Vera, Walter, Wei, William, Yuki, Yusuf, Zara, Thandi,
    Kwame, Siobhan, Saoirse, Bjorn, Soren, Zsofia, Wojciech, Anneliese, Maximilian, Guadalupe, Genevieve, Dolores
""")

_TELL = {
    "en": """{|||Hi, |Hello, |Hello! |Hey, |Hi there! |Good morning, }{my name is <name>|my name's <name>|I am <name>|\
I'm <name>|im <name>|i am <name>|call me <name>|you can call me <name>|please call me <name>|I am called <name>|\
they call me <name>|my name is <name>, nice to meet you|<name> here|the name is <name>|this is <name>|it's <name>|\
people call me <name>|remember: my name is <name>|my name is <name>, please remember it}{.|.|!|}""",
    "es": """{|||Hola, |¡Hola! |Buenas, |Buenos días, }{me llamo <name>|mi nombre es <name>|soy <name>|yo soy <name>|\
puedes llamarme <name>|yo me llamo <name>|llámame <name>|me llamo <name>, mucho gusto}{.|!|}""",
    "fr": """{|||Bonjour, |Salut, |Bonjour ! |Bonsoir, }{je m'appelle <name>|mon nom est <name>|je suis <name>|\
moi, c'est <name>|moi c'est <name>|mon prénom est <name>|tu peux m'appeler <name>|appelle-moi <name>|c'est <name>}\
{.| !|}""",
    "de": """{|||Hallo, |Hallo! |Guten Tag, |Hi, |Guten Abend, }{ich heiße <name>|mein Name ist <name>|ich bin <name>|\
ich bin der <name>|ich bin die <name>|nenn mich <name>|du kannst mich <name> nennen|man nennt mich <name>|ich heisse <name>}\
{.|!|}""",
}

_MET = {
    "en": "Nice to meet you, <name>! {What can I do for you?|How are you?}",
    "es": "¡Mucho gusto, <name>! {¿Qué puedo hacer por ti?|¿Cómo estás?}",
    "fr": "Enchanté, <name> ! {Que puis-je faire pour toi ?|Comment vas-tu ?}",
    "de": "Freut mich, <name>! {Was kann ich für dich tun?|Wie geht es dir?}",
}

_ASK = {
    "en": """{what is my name?|what's my name?|whats my name|do you know my name?|do you remember my name?|\
{and |so |now }what is my name?|who am I?|tell me my name|can you tell me my name?|what am I called?|\
what did I say my name was?|say my name{|, please}|what name did I give you?|{please |}repeat my name|\
do you {still |}remember who I am?|remember my name?|did I tell you my name?|how am I called?}""",
    "es": """{¿cómo me llamo?|¿cuál es mi nombre?|¿sabes cómo me llamo?|¿recuerdas mi nombre?|¿sabes mi nombre?|\
¿quién soy?|¿quién soy yo?|dime mi nombre|¿te acuerdas de mi nombre?|¿y cómo me llamo{| yo}?|di mi nombre}""",
    "fr": """{comment je m'appelle ?|quel est mon nom ?|comment est-ce que je m'appelle ?|tu connais mon nom ?|\
tu te souviens de mon nom ?|qui suis-je ?|dis-moi mon nom|est-ce que tu sais comment je m'appelle ?|\
comment m'appelé-je ?|et mon nom ?|quel est mon prénom ?|sais-tu comment je m'appelle ?}""",
    "de": """{wie heiße ich?|wie ist mein Name?|weißt du, wie ich heiße?|kennst du meinen Namen?|wer bin ich?|\
erinnerst du dich an meinen Namen?|sag mir meinen Namen|weißt du noch, wie ich heiße?|und wie heiße ich?|\
was ist mein Name?|wie war mein Name?|wie heiße ich {denn |noch mal}?}""",
}

_YOURS = {
    "en": "Your name is <name>.",
    "es": "Te llamas <name>.",
    "fr": "Tu t'appelles <name>.",
    "de": "Du heißt <name>.",
}

_UNTOLD = {
    "en": "You have not told me your name yet. What is your name?",
    "es": "Todavía no me has dicho tu nombre. ¿Cómo te llamas?",
    "fr": "Tu ne m'as pas encore dit ton nom. Comment t'appelles-tu ?",
    "de": "Du hast mir deinen Namen noch nicht gesagt. Wie heißt du?",
}


def a_name(rng: random.Random) -> str:
    """Return a name: a real one, or one that nobody has."""
    dice = rng.random()
    if dice < 0.04:
        return rng.choice(_NAMES) + rng.choice((" ", "-")) + rng.choice(_NAMES)
    if dice < 0.46:
        return rng.choice(_NAMES)
    return invented(rng, least=1 if rng.random() < 0.3 else 2).capitalize()


def give_name(rng: random.Random, language: str, name: str) -> tuple[str, str]:
    """Return the turn in which a name is told, and now and then asked for at once."""
    if rng.random() < 0.05:
        both = (
            _TELL[language].replace("{.|.|!|}", ". ").replace("{.|!|}", ". ").replace("{.| !|}", ". ") + _ASK[language]
        )
        return typed(rng, both, name=name), say(rng, _YOURS[language], name=name)
    return typed(rng, _TELL[language], name=name), say(rng, _MET[language], name=name)


def ask_name(rng: random.Random, language: str, name: str | None) -> tuple[str, str]:
    """Return the turn in which the person asks for the own name, which may not have been told."""
    question = typed(rng, _ASK[language])
    return question, say(rng, _YOURS[language], name=name) if name else _UNTOLD[language]
