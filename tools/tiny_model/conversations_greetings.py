"""This module makes small talk: greeting, taking leave, thanks, how-are-you, yes and no."""

import random

from .wording import say, typed

__all__ = ["accepted", "feeling", "greeting", "leave", "smalltalk", "thanks", "wellbeing"]

# Each row: what people say, and the greeting that comes back.
_GREETINGS: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("{hello|hi|hey|hello there|hi there|hey there|hiya|heya|hey you|hello hello|hi hi|hullo|yo|howdy|greetings|\
hello world|hello friend|hey buddy|helo|hallo there|hii|hiii|heyy|helloo|hello!|hi!|hey!|sup|hello again|hi bot|hello bot|\
hello headrace|hi headrace-tiny|hello computer|hi everyone|anybody there?|hello, anyone there?|are you there?|hello?|\
I just wanted to say {hi|hello}|nice to meet you|pleased to meet you|good to see you|glad to meet you}", "Hello"),
        ("{good morning|morning|good morning to you|a very good morning|good mornin|gm|morning!|hello, good morning|\
good morning, {friend|computer|everyone}|hi and good morning}", "Good morning"),
        ("{good afternoon|good day|a good afternoon to you|afternoon|hello, good afternoon|good day to you}", "Good day"),
        ("{good evening|evening|a good evening to you|evening!|hello, good evening|good evening, {friend|everyone}}",
         "Good evening"),
    ),
    "es": (
        ("{hola|¡hola!|hola hola|hola, ¿hay alguien?|holaa|hola a todos|hey, hola|hola amigo|muy buenas|buenas|saludos|\
hola bot|¿hola?|hola de nuevo|ola|hola, encantado|¿estás ahí?|qué hay|encantado de conocerte|hola headrace}", "¡Hola!"),
        ("{buenos días|¡buenos días!|buen día|muy buenos días|hola, buenos días|buenos dias a todos}", "¡Buenos días!"),
        ("{buenas tardes|¡buenas tardes!|hola, buenas tardes|muy buenas tardes}", "¡Buenas tardes!"),
        ("{buenas noches|¡buenas noches!|hola, buenas noches|muy buenas noches}", "¡Buenas noches!"),
    ),
    "fr": (
        ("{bonjour|bonjour !|salut|salut !|coucou|bonjour à tous|salut toi|hé, salut|allô|re-bonjour|bonjour bonjour|\
bien le bonjour|bonjour l'ami|salut l'ami|tu es là ?|il y a quelqu'un ?|enchanté|bonjour headrace|yo salut|bonjour à toi|\
ravi de te rencontrer}", "Bonjour !"),
        ("{bonsoir|bonsoir !|bonsoir à tous|bien le bonsoir|salut et bonsoir|bonsoir à toi}", "Bonsoir !"),
    ),
    "de": (
        ("{hallo|hallo!|hallöchen|servus|moin|moin moin|grüß dich|grüß gott|hi du|hey du|hallo zusammen|na|hallo du|\
sei gegrüßt|bist du da?|ist da jemand?|hallo?|hallo nochmal|grüezi|freut mich|hallo headrace|halli hallo|tach}", "Hallo!"),
        ("{guten Morgen|guten Morgen!|morgen|schönen guten Morgen|hallo, guten Morgen|guten Morgen zusammen}",
         "Guten Morgen!"),
        ("{guten Tag|guten Tag!|einen schönen guten Tag|schönen guten Tag|hallo, guten Tag|guten Tag auch|tag}",
         "Guten Tag!"),
        ("{guten Abend|guten Abend!|schönen guten Abend|n'Abend|hallo, guten Abend|guten Abend zusammen}", "Guten Abend!"),
    ),
}  # fmt: skip

_HOW = {
    "en": "{how are you?|how are you?|how are you doing?|how is it going?|how's it going?|how are you today?|how do you do?|\
how are things?|how have you been?|what's up?|whats up|how r u|how r you?|how are u|are you {well|ok|okay|fine}?|\
how do you feel{| today}?|how is your day{| going}?|you ok?|everything ok?|how goes it?|are you having a good day?}",
    "es": "{¿cómo estás?|¿qué tal?|¿qué tal estás?|¿cómo te va?|¿cómo va todo?|¿todo bien?|¿cómo estás hoy?|¿cómo andas?|\
¿qué pasa?|¿cómo te encuentras?|¿cómo está usted?|¿estás bien?}",
    "fr": "{comment ça va ?|ça va ?|comment vas-tu ?|comment allez-vous ?|tu vas bien ?|comment tu vas ?|quoi de neuf ?|\
ça va bien ?|comment va ?|vous allez bien ?|comment vas-tu aujourd'hui ?|la forme ?}",
    "de": "{wie geht es dir?|wie geht's?|wie gehts|wie geht's dir?|wie geht es Ihnen?|alles klar?|alles gut?|was geht?|\
geht es dir gut?|wie geht es dir heute?|na, wie geht's?|wie läuft's?|und, wie geht's so?}",
}

_WELL = {
    "en": "I am well, thank you<comma>! {What can I do for you?|And how are you?}",
    "es": "¡Estoy bien, gracias<comma>! {¿Qué puedo hacer por ti?|¿Y tú, cómo estás?}",
    "fr": "Je vais bien, merci<comma> ! {Que puis-je faire pour toi ?|Et toi, comment vas-tu ?}",
    "de": "Mir geht es gut, danke<comma>! {Was kann ich für dich tun?|Und wie geht es dir?}",
}

_HOW_BACK = {
    "en": "How are you?",
    "es": "¿Cómo estás?",
    "fr": "Comment vas-tu ?",
    "de": "Wie geht es dir?",
}

_LEAVES: dict[str, tuple[tuple[str, str], ...]] = {
    "en": (
        ("{bye|goodbye|bye bye|good bye|bye for now|bye!|farewell|take care|cheers, bye|I have to go{| now}|gotta go|\
I am leaving{| now}|so long|cya|byee|ok bye|thanks, bye|thank you and goodbye|that is all, bye|ciao|I'm off|I must go now|\
have a nice day|have a good one|time to go|bye, have a nice day|time to say goodbye}", "Goodbye<comma>! Take care."),
        ("{see you|see you later|see ya|see you soon|until next time|later|see you around|talk to you later|catch you later|\
ttyl|speak soon|talk soon|until later}", "See you later<comma>!"),
        ("{see you tomorrow|until tomorrow|see ya tomorrow|bye, see you tomorrow|till tomorrow|talk to you tomorrow|\
ok, see you tomorrow}", "See you tomorrow<comma>!"),
        ("{good night|night|good night!|sleep well|nighty night|gn|I am going to bed|have a good night|sweet dreams}",
         "Good night<comma>! Sleep well."),
    ),
    "es": (
        ("{adiós|¡adiós!|chao|chau|me voy|tengo que irme|me despido|adiós, cuídate|bueno, adiós|gracias y adiós|ya me voy|\
que tengas un buen día|cuídate}", "¡Adiós<comma>! Cuídate."),
        ("{hasta luego|hasta pronto|nos vemos|hasta la vista|hasta la próxima|nos vemos luego|hasta otra}",
         "¡Hasta luego<comma>!"),
        ("{hasta mañana|¡hasta mañana!|nos vemos mañana|adiós, hasta mañana}", "¡Hasta mañana<comma>!"),
        ("{que descanses|dulces sueños|me voy a dormir|me voy a la cama}", "¡Buenas noches<comma>! Que descanses."),
    ),
    "fr": (
        ("{au revoir|au revoir !|adieu|je m'en vais|je dois partir|bye bye, au revoir|merci et au revoir|je pars|\
bonne journée|prends soin de toi|je te laisse|allez, au revoir|salut, je m'en vais}",
         "Au revoir<comma> ! Prends soin de toi."),
        ("{à bientôt|à plus tard|à plus|à tout à l'heure|à la prochaine|on se voit plus tard|à plus tard !|à tantôt}",
         "À bientôt<comma> !"),
        ("{à demain|à demain !|on se voit demain|au revoir, à demain|allez, à demain}", "À demain<comma> !"),
        ("{bonne nuit|bonne nuit !|dors bien|je vais au lit|fais de beaux rêves|je vais dormir}",
         "Bonne nuit<comma> ! Dors bien."),
    ),
    "de": (
        ("{tschüss|tschüss!|auf Wiedersehen|tschau|ich muss los|ich gehe jetzt|auf Wiederhören|mach's gut|ade|tschüssi|\
danke und tschüss|ich muss gehen|ich bin dann weg|schönen Tag noch|ok, tschüss}", "Auf Wiedersehen<comma>! Mach es gut."),
        ("{bis bald|bis später|bis dann|bis zum nächsten Mal|wir sehen uns|man sieht sich|bis nachher|bis gleich}",
         "Bis bald<comma>!"),
        ("{bis morgen|bis morgen!|wir sehen uns morgen|tschüss, bis morgen|also bis morgen}", "Bis morgen<comma>!"),
        ("{gute Nacht|gute Nacht!|schlaf gut|ich gehe ins Bett|ich gehe schlafen|träum schön|schlaf schön}",
         "Gute Nacht<comma>! Schlaf gut."),
    ),
}  # fmt: skip

_THANKS = {
    "en": "{thanks|thank you|thanks a lot|thank you very much|thank you so much|thx|ty|many thanks|cheers|thanks!|\
great, thanks|thanks, that helps|thank you, that was {nice|lovely|great|helpful}|nice, thank you|ok thanks|perfect, thanks|\
wonderful, thank you|that was {great|lovely|very nice}, thanks|thank u|much appreciated|thanks for {that|your help|the help|\
the story|everything}|I appreciate it|cool thanks|thank you kindly}",
    "es": "{gracias|¡gracias!|muchas gracias|mil gracias|gracias por todo|te lo agradezco|gracias, muy amable|vale, gracias|\
gracias por tu ayuda|genial, gracias|muchísimas gracias|perfecto, gracias|ok gracias}",
    "fr": "{merci|merci !|merci beaucoup|un grand merci|merci bien|mille mercis|merci pour tout|super, merci|je te remercie|\
merci pour ton aide|ok merci|parfait, merci|merci infiniment|génial, merci}",
    "de": "{danke|danke!|danke schön|vielen Dank|danke sehr|tausend Dank|herzlichen Dank|besten Dank|super, danke|dankeschön|\
ich danke dir|danke für deine Hilfe|ok danke|prima, danke|danke dir|danke für alles|vielen lieben Dank}",
}

_WELCOME = {
    "en": "You are welcome<comma>!",
    "es": "¡De nada<comma>!",
    "fr": "De rien<comma> !",
    "de": "Gern geschehen<comma>!",
}

_FEELINGS = {
    "en": (
        ("{I am|I'm|im|} {fine|good|well|great|very well|ok|doing well|doing great|happy|all right|not bad|wonderful|\
doing fine|pretty good|fantastic}{|, thanks|, thank you| today|, and you?}", "I am glad to hear that<comma>! What can I do for you?"),
        ("{I am|I'm|im|I feel} {tired|sad|not so good|bored|unhappy|a bit sad|lonely|exhausted|not well|angry|stressed|down}\
{| today}", "I am sorry to hear that<comma>. Shall I tell you a story?"),
    ),
    "es": (
        ("{estoy|estoy|} {bien|muy bien|genial|contento|de maravilla|contenta}{|, gracias|, ¿y tú?}",
         "¡Me alegra oírlo<comma>! ¿Qué puedo hacer por ti?"),
        ("estoy {cansado|triste|cansada|mal|aburrido|aburrida|un poco triste}",
         "Siento oírlo<comma>. ¿Quieres que te cuente un cuento?"),
    ),
    "fr": (
        ("{je vais|ça va} {bien|très bien|super bien|bien, merci|très bien, merci|bien, et toi ?}",
         "Je suis content de l'entendre<comma> ! Que puis-je faire pour toi ?"),
        ("je suis {fatigué|triste|fatiguée|un peu triste|malheureux|stressé}",
         "J'en suis désolé<comma>. Veux-tu que je te raconte une histoire ?"),
    ),
    "de": (
        ("{mir geht es|mir geht's|es geht mir|} {gut|sehr gut|super|prima|bestens|gut, danke|ganz gut|gut, und dir?}",
         "Das freut mich<comma>! Was kann ich für dich tun?"),
        ("ich bin {müde|traurig|erschöpft|ein bisschen traurig|gelangweilt|unglücklich|gestresst}",
         "Das tut mir leid<comma>. Soll ich dir eine Geschichte erzählen?"),
    ),
}  # fmt: skip

_NODS = {
    "en": "{yes|no|ok|okay|sure|yep|nope|yeah|fine|alright|great|cool|nice|good|perfect|wow|I see|got it|understood|well done|\
good job|lol|haha|of course|maybe|not really|all right|right|hmm|excellent|awesome|sounds good|you are {nice|funny|cute|great}}",
    "es": "{sí|no|vale|de acuerdo|claro|bien|muy bien|perfecto|genial|entiendo|ok|bueno|por supuesto|quizás|jaja|estupendo}",
    "fr": "{oui|non|d'accord|ok|bien sûr|bien|très bien|parfait|super|je comprends|génial|peut-être|ça marche|haha|entendu}",
    "de": "{ja|nein|ok|okay|klar|gut|sehr gut|perfekt|super|verstanden|in Ordnung|natürlich|vielleicht|toll|prima|haha|jawohl}",
}

_YES = {
    "en": "{yes|yes please|please|yes, please|sure|ok|okay|yeah|yep|of course|that would be nice|please do|go on|go ahead}",
    "es": "{sí|sí, por favor|claro|vale|por favor|claro que sí|ok|adelante|con gusto}",
    "fr": "{oui|oui, s'il te plaît|d'accord|volontiers|bien sûr|avec plaisir|ok|vas-y}",
    "de": "{ja|ja, bitte|gern|gerne|ok|bitte|klar|ja gern|das wäre schön}",
}

_OFFERS = {
    "en": "All right<comma>! I can tell a short story, count, name the days and the months, or say how to connect a real model.",
    "es": "¡Muy bien<comma>! Puedo contar un cuento, contar números, decir los días y los meses, o explicar cómo conectar "
    "un modelo de verdad.",
    "fr": "Très bien<comma> ! Je peux raconter une histoire, compter, dire les jours et les mois, ou expliquer comment "
    "connecter un vrai modèle.",
    "de": "In Ordnung<comma>! Ich kann eine Geschichte erzählen, zählen, die Tage und die Monate nennen oder sagen, wie man "
    "ein richtiges Modell anschließt.",
}


def _comma(name: str | None) -> str:
    return f", {name}" if name else ""


def greeting(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return a greeting and its answer, which asks how the person is."""
    said, hello = rng.choice(_GREETINGS[language][:1] * 2 + _GREETINGS[language])
    if name:
        hello = f"{hello.rstrip(' !')}, {name}" + {"en": "", "es": "!", "fr": " !", "de": "!"}[language]
    end = "!" if language == "en" else ""
    if rng.random() < 0.18:  # both at once: "Hi, how are you?"
        question = typed(rng, said.replace("?", "") + "{, |! | - | }" + _HOW[language])
        return question, f"{hello}{end} {say(rng, _WELL[language], comma='')}"
    return typed(rng, said), f"{hello}{end} {_HOW_BACK[language]}"


def wellbeing(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return the question how one is, and the answer."""
    return typed(rng, _HOW[language]), say(rng, _WELL[language], comma=_comma(name))


def feeling(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return how the person is, and the answer."""
    said, answer = rng.choice(_FEELINGS[language][:1] + _FEELINGS[language])
    return typed(rng, said), say(rng, answer, comma=_comma(name))


def accepted(rng: random.Random, language: str, offer: str) -> str | None:
    """Return a yes to the offer of a story, or None where none was offered."""
    offered = any(words in offer for words in ("Shall I", "te cuente", "te raconte", "erzählen?"))
    return typed(rng, _YES[language]) if offered else None


def leave(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return a leave-taking, and the answer."""
    said, answer = rng.choice(_LEAVES[language])
    return typed(rng, said), say(rng, answer, comma=_comma(name))


def thanks(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return thanks, and the answer."""
    return typed(rng, _THANKS[language]), say(rng, _WELCOME[language], comma=_comma(name))


def smalltalk(rng: random.Random, language: str, name: str | None = None) -> tuple[str, str]:
    """Return a word of agreement or the like, and what may be asked next."""
    return typed(rng, _NODS[language]), say(rng, _OFFERS[language], comma=_comma(name))
